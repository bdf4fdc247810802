package scrub

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// confirmAfter is how long the hub has to take back that a stream ends too early.
const confirmAfter = 100 * time.Millisecond

// Look looks at what changes at once: how the streams are kept, and whether the
// event stream still has, at its end, what was signed there. It is for one caller at a
// time, and not beside Run.
func (s *Scrubber) Look(ctx context.Context) error {
	err := s.settings(ctx)
	if err == nil {
		err = s.ends(ctx)
	}
	if err != nil {
		s.reader = nil // it may be of a stream that is no more
		return err
	}
	s.looked = time.Now()
	return nil
}

func (s *Scrubber) settings(ctx context.Context) error {
	var weak []Finding
	for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files} {
		standing, err := s.hub.Standing(ctx, name)
		if err != nil {
			return err
		}
		if standing.Missing {
			weak = append(weak, Finding{Code: Weakened, What: fmt.Sprintf("stream %s is missing: start the hub again, which makes it, and find out who deleted it", name)})
		}
		for _, w := range standing.Weak {
			weak = append(weak, Finding{Code: Weakened, What: w.String() + "; start the hub again, which sets right what the server lets it, and find out who changed it"})
		}
	}
	return s.book.set(weak, Weakened)
}

// ends compares the end of the stream with that of the tree.
func (s *Scrubber) ends(ctx context.Context) error {
	size, root := s.tree.Published()
	last, err := s.last(ctx, size)
	if err != nil {
		return err
	}
	var short []Finding
	if last < size {
		short = append(short, span{code: Regressed, from: last, to: size}.finding())
	}
	if err := s.book.set(short, Regressed); err != nil || last == 0 {
		return err
	}
	return s.regrown(ctx, &round{s: s, tree: &growth{stored: s.tree}, size: size, root: root, end: last})
}

// last is where the event stream ends, as far as the tree goes. One that ends early
// is asked for again.
func (s *Scrubber) last(ctx context.Context, size uint64) (uint64, error) {
	standing, err := s.hub.Standing(ctx, stream.Events)
	if err != nil || standing.Last >= size {
		return size, err
	}
	pause(ctx, confirmAfter)
	standing, err = s.hub.Standing(ctx, stream.Events)
	return min(size, standing.Last), err
}

// regrown looks whether the last message is another than was signed, and since where.
// What it finds stands until a round has read everything: also while the end is
// right again, since the tree may have gone on over it.
func (s *Scrubber) regrown(ctx context.Context, r *round) error {
	known := func(f Finding) bool { return (f.Code == Regrown || f.Code == Altered) && f.To >= r.end }
	if slices.ContainsFunc(s.book.findings, known) {
		return nil
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	for range 2 {
		if other, err := r.other(ctx, r.end-1); err != nil || !other {
			return err
		}
	}
	// The first that differs, where all after it do.
	first, differs := uint64(0), r.end-1
	for first < differs {
		middle := first + (differs-first)/2
		same, err := r.right(ctx, middle)
		if err != nil {
			return err
		}
		if same {
			first = middle + 1
		} else {
			differs = middle
		}
	}
	return s.book.add(span{code: Regrown, from: differs, to: r.end}.finding())
}

// other reports whether there is another message at an index than was signed.
func (r *round) other(ctx context.Context, index uint64) (bool, error) {
	m, ok, err := r.s.probeTwice(ctx, index)
	if err != nil || !ok || m.Sequence != index+1 {
		return false, err
	}
	return r.compare(index, translog.LeafHash(index, m.Subject, m.Data)) == Altered, nil
}

// right reports whether the message at an index is there, and what was signed.
func (r *round) right(ctx context.Context, index uint64) (bool, error) {
	m, ok, err := r.s.probeTwice(ctx, index)
	if err != nil || !ok || m.Sequence != index+1 {
		return false, err
	}
	return r.compare(index, translog.LeafHash(index, m.Subject, m.Data)) != Altered, nil
}
