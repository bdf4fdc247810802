package notary

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/disk"
	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// trust is the registry at the end of the leaf store, and the file that keeps
// the updates which applied, so that a restart need not read the whole stream for them.
// The file is replaced whole, before the leaves that it covers are stored: after a
// crash between the two it holds updates beyond the last leaf. Those are left out
// and come again from the stream.
type trust struct {
	disk    disk.Maker
	path    string
	charter event.Digest
	founded translog.Policies // the charter's own
	entries []*registryv1.Entry
	state   registry.State
	changed bool // since the file was written
}

// newTrust knows nothing but the charter.
func newTrust(directory string, charter registry.Charter) (*trust, error) {
	state, err := charter.State()
	if err != nil {
		return nil, err
	}
	policies, err := state.Policies()
	if err != nil {
		return nil, err
	}
	return &trust{path: filepath.Join(directory, "registry"), charter: charter.Digest, founded: policies, state: registry.New(charter.Digest)}, nil
}

// open reads the file as far as the store goes. Its error says that the two do not
// belong together; the stream then decides.
func (t *trust) open(leaves *store) error {
	data, err := os.ReadFile(t.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	book := &registryv1.Book{}
	if err := proto.Unmarshal(data, book); err != nil {
		return fmt.Errorf("%s is no book of a registry", t.path)
	}
	t.entries = book.GetEntries()
	t.changed = len(t.entries) > 0 // a write before may have failed and not be on disk for good
	if err := t.fold(leaves.size); err != nil {
		return err
	}
	if leaves.size > 0 && !t.state.Founded() {
		return errors.New("there are leaves, and no founding is kept")
	}
	for _, e := range t.entries {
		stored, err := leaves.leaf(e.GetIndex())
		if err != nil {
			return err
		}
		if stored != translog.LeafHash(e.GetIndex(), e.GetSubject(), e.GetMessage()) {
			return fmt.Errorf("the update kept for index %d is not what was stored there", e.GetIndex())
		}
	}
	return nil
}

// fold goes back to the registry at a size, and forgets the updates beyond it.
func (t *trust) fold(size uint64) error {
	state := registry.New(t.charter)
	for i, e := range t.entries {
		if e.GetIndex() >= size {
			t.entries = t.entries[:i]
			break
		}
		next, err := state.Apply(e.GetIndex(), e.GetSubject(), e.GetMessage())
		if err != nil {
			return fmt.Errorf("the update kept for index %d: %w", e.GetIndex(), err)
		}
		state = next
	}
	t.state = state
	return nil
}

// take folds the message at an index. What does not apply changes nothing, here as
// for everybody else, and is not kept.
func (t *trust) take(index uint64, subject string, data []byte) {
	if !registry.IsSubject(subject) {
		return
	}
	next, err := t.state.Apply(index, subject, data)
	if err != nil {
		return
	}
	t.state, t.changed = next, true
	t.entries = append(t.entries, &registryv1.Entry{Index: index, Subject: subject, Message: data})
}

// save writes what was taken in up to a log size. When it returns, that is on disk.
func (t *trust) save(size uint64) error {
	if !t.changed {
		return nil
	}
	data, err := proto.Marshal(&registryv1.Book{Entries: t.entries, LogSize: size})
	if err != nil {
		return fmt.Errorf("encoding the registry: %w", err)
	}
	if err := t.disk.Replace(t.path, data, 0o600); err != nil {
		return fmt.Errorf("writing the registry: %w", err)
	}
	t.changed = false
	return nil
}

// policies are whose signature a checkpoint needs, by size.
func (t *trust) policies() translog.Policies {
	if policies, err := t.state.Policies(); err == nil {
		return policies
	}
	return t.founded // the stream does not begin with the founding, or has not been read yet
}
