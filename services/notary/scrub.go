package notary

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	"github.com/tripoint/tripoint/services/notary/scrub"
)

// signed is what the scrubber compares the stream with: leaves that this notary has
// published, or found published and agreed with. It reads the store's file beside the
// notary, which never changes what is below that size, but where it begins anew.
type signed struct {
	newest atomic.Pointer[translog.Checkpoint]
	store  *store // of which only the file is used
}

// openSigned begins with the newest checkpoint that is known to have been published
// from the store. The log stream confirms it, or ends the notary.
func (n *Notary) openSigned() {
	n.signed.store = n.store
	note, err := n.store.published()
	if err != nil || note == nil {
		return
	}
	checkpoint, err := n.trust.policies().OpenCheckpoint(note)
	if err == nil && checkpoint.Size <= n.store.size {
		n.signed.newest.Store(&checkpoint)
	}
}

// none says that there is nothing to compare with, until the store has been read again.
func (s *signed) none() { s.newest.Store(nil) }

// stands tells the scrubber how far there is something to compare. The root is the
// signed one: what the disk holds by now may be another.
func (n *Notary) stands(p *publication) error {
	checkpoint, err := n.trust.policies().OpenCheckpoint(p.note)
	if err != nil {
		return fmt.Errorf("%w: the newest checkpoint: %v", ErrAltered, err)
	}
	n.signed.newest.Store(&checkpoint)
	return nil
}

// Published makes it a scrub.Tree.
func (s *signed) Published() (size uint64, root translog.Hash) {
	newest := s.newest.Load()
	if newest == nil {
		return 0, root
	}
	return newest.Size, newest.Root
}

// ReadHashes makes it a tlog.HashReader.
func (s *signed) ReadHashes(positions []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(positions))
	for i, position := range positions {
		if _, err := s.store.file.ReadAt(hashes[i][:], position*hashSize); err != nil {
			return nil, fmt.Errorf("hash %d: %w", position, err)
		}
	}
	return hashes, nil
}

// lastLook is how long the notary takes to find out what became of a stream that it
// signs no more.
const lastLook = 30 * time.Second

// scrub reads the stream again, beside the notary, until ctx ends or the function
// that it returns is called; altered: it looks at the stream's end once more.
func (n *Notary) scrub(ctx context.Context) (stop func(altered bool)) {
	consumer := stream.ScrubConsumer
	if n.config.Standby {
		consumer = stream.StandbyScrubConsumer
	}
	scrubber := scrub.New(scrub.Config{
		Directory: n.config.Directory, Stream: n.conn, Consumer: consumer, Tree: &n.signed, Replicas: n.config.Replicas, Pace: n.config.Scrub, Logger: n.log,
	})
	scrubbing, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		scrubber.Run(scrubbing)
	}()
	return func(altered bool) {
		cancel()
		<-ended
		if !altered {
			return
		}
		bounded, cancel := context.WithTimeout(ctx, lastLook)
		defer cancel()
		err := scrubber.Look(bounded)
		for err != nil && bounded.Err() == nil { // nobody looks again after this
			pause(bounded, retryAfter)
			err = scrubber.Look(bounded)
		}
		if err != nil {
			n.log.Warn("what became of the stream is not found out", "error", err)
		}
	}
}
