package scrub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
)

// round is one reading from the first message to where the tree ended when it began.
type round struct {
	s     *Scrubber
	began time.Time
	tree  *growth
	at    uint64 // index of the next message; all below are judged
	end   uint64 // of the tree, or of the stream where that ends before
	size  uint64 // of the tree
	root  translog.Hash

	found   spans
	settled spans // ranges that a restoration, which the tree has, says are lost for good
	doubt   *doubt
	quiet   int // fetches in a row that brought nothing
	average int // bytes of a message, lately
}

// doubt is what the first look at a portion showed: it counts if the second shows
// the same.
type doubt struct {
	found spans
	next  uint64 // the portion's end
}

// maxMissed is how often in a row messages may be lost between hub and scrubber.
const maxMissed = 20

// round reads the whole stream once. An error says that it could not go on: the next
// call does, from the same place. What stood from before stands until the round ends.
func (s *Scrubber) round(ctx context.Context) error {
	if err := s.Look(ctx); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil || s.current == nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return err
	}
	r := s.current
	r.doubt, r.quiet = nil, 0
	err := r.run(ctx)
	if err == nil {
		err = r.finish(ctx)
	}
	if err != nil {
		s.reader = nil // it says where it is; what it was told is uncertain
		return err
	}
	s.current = nil
	return nil
}

// begin begins a round where none is under way; there is none without a tree.
func (s *Scrubber) begin(ctx context.Context) error {
	if s.current != nil && s.current.valid() == nil {
		return nil
	}
	s.current = nil
	size, root := s.tree.Published()
	if size == 0 {
		return s.book.set(nil, judged...)
	}
	standing, err := s.hub.Standing(ctx, stream.Events)
	if err != nil {
		return err
	}
	// What the tree has beyond the stream's end is for Look to say.
	s.current = &round{s: s, began: time.Now(), tree: &growth{stored: s.tree}, end: min(size, standing.Last), size: size, root: root}
	return nil
}

func (r *round) run(ctx context.Context) error {
	if err := r.reset(ctx); err != nil {
		return err
	}
	missed := 0
	for r.at < r.end && ctx.Err() == nil {
		if time.Since(r.s.looked) >= r.s.pace.Look {
			if err := r.s.Look(ctx); err != nil {
				return err
			}
			if err := r.reset(ctx); err != nil {
				return err
			}
		}
		began := time.Now()
		messages, err := r.s.fetch(ctx, r.portion())
		if missed++; errors.Is(err, stream.ErrMissed) && missed < maxMissed {
			pause(ctx, retryAfter/50)
			if err := r.reset(ctx); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		missed = 0
		if err := r.step(ctx, messages); err != nil {
			return err
		}
		r.slowDown(ctx, began, messages)
	}
	return ctx.Err()
}

// reset asks for the message at r.at.
func (r *round) reset(ctx context.Context) error { return r.s.reset(ctx, r.at) }

// portion is how many messages are read at once: a quarter of what a second may
// have, by count and by size.
func (r *round) portion() int {
	limit := min(r.s.pace.Messages/4, 256)
	if r.average == 0 {
		return max(1, min(limit, 16))
	}
	return max(1, min(limit, r.s.pace.Bytes/4/r.average))
}

// slowDown waits until what was read fits the pace.
func (r *round) slowDown(ctx context.Context, began time.Time, messages []stream.Message) {
	if len(messages) == 0 {
		return
	}
	bytes := 0
	for _, m := range messages {
		bytes += len(m.Data) + len(m.Subject)
	}
	r.average = max(1, bytes/len(messages))
	due := max(float64(len(messages))/float64(r.s.pace.Messages), float64(bytes)/float64(r.s.pace.Bytes))
	pause(ctx, time.Duration(due*float64(time.Second))-time.Since(began))
}

// step judges what came. A portion with a fault is asked for again; what both looks
// show is found.
func (r *round) step(ctx context.Context, messages []stream.Message) error {
	if len(messages) == 0 {
		return r.silence(ctx)
	}
	r.quiet = 0
	if r.doubt == nil {
		j := r.judge(r.end, messages)
		if j.again {
			return r.reset(ctx)
		}
		if len(j.found) == 0 {
			return r.accept(j, nil)
		}
		r.doubt = &doubt{found: j.found, next: j.next}
		return r.reset(ctx)
	}
	j := r.judge(r.doubt.next, messages)
	if !j.again {
		if err := r.accept(j, j.found.both(r.doubt.found, r.at, j.next)); err != nil {
			return err
		}
	}
	if r.at >= r.doubt.next {
		r.doubt = nil
	}
	return r.reset(ctx)
}

// judgement is what messages say of the indices from r.at to next.
type judgement struct {
	next   uint64
	found  spans
	leaves map[uint64]translog.Hash // those that stand in the tree, as read from the stream
	losses spans                    // for good, as a message that stands in the tree says
	again  bool                     // out of order: the hub sends something from before
}

// judge compares messages with the tree, up to a limit that it goes not beyond.
func (r *round) judge(limit uint64, messages []stream.Message) judgement {
	j := judgement{next: r.at, leaves: map[uint64]translog.Hash{}}
	for _, m := range messages {
		if m.Sequence <= j.next {
			return judgement{again: true}
		}
		index := min(m.Sequence-1, limit)
		if index > j.next {
			j.found.add(Lost, j.next, index)
			j.next = index
		}
		if index == limit {
			break
		}
		leaf := translog.LeafHash(index, m.Subject, m.Data)
		code := r.compare(index, leaf)
		if code != "" {
			j.found.add(code, index, index+1)
		}
		if code != Altered {
			j.leaves[index] = leaf
			j.restored(m)
		}
		j.next++
	}
	return j
}

// restored notes what a restoration says is lost for good. It is said to everybody and
// signed, so there is nothing left to do.
func (j *judgement) restored(m stream.Message) {
	if m.Subject != translog.RestoredSubject {
		return
	}
	restored, err := translog.ParseRestoration(m.Sequence-1, m.Data)
	if err != nil {
		return
	}
	for _, l := range restored.Lost {
		j.losses = append(j.losses, span{code: Lost, from: l.From, to: l.To})
	}
}

// compare says what is wrong where a message's leaf is not the stored one. What was
// signed decides which of the two is: only one of them can lie under the root.
func (r *round) compare(index uint64, leaf translog.Hash) (code string) {
	stored, err := r.tree.leaf(index)
	if err == nil && stored == leaf {
		return ""
	}
	proof, err := translog.Prove(index, r.size, r.s.tree)
	if err == nil && translog.CheckInclusion(proof, index, r.size, r.root, stored) == nil {
		return Altered
	}
	return Store
}

// accept goes on to where a judgement ends, with what both looks have found.
func (r *round) accept(j judgement, confirmed spans) error {
	for _, one := range confirmed {
		r.found.add(one.code, one.from, one.to)
	}
	r.settled = append(r.settled, j.losses...)
	return r.advance(j.next, j.leaves)
}

// advance lets the tree grow by leaves: as the stream has them where they are right,
// else as they are stored. The inner hashes that this makes are compared as well:
// proofs and tiles come out of them.
func (r *round) advance(next uint64, leaves map[uint64]translog.Hash) error {
	for ; r.at < next; r.at++ {
		leaf, ok := leaves[r.at]
		if !ok {
			stored, err := r.tree.leaf(r.at)
			if err != nil {
				r.found.add(Store, r.at, r.at+1)
			}
			leaf = stored
		}
		if !r.tree.append(leaf) {
			r.found.add(Store, r.at, r.at+1)
		}
	}
	return r.keep()
}

// keep lets those ranges stand that are whole: a message after them is right. One that
// goes to the end has its name only there, and whether a loss is settled by a
// restoration shows only there as well.
func (r *round) keep() error {
	if err := r.valid(); err != nil {
		return err
	}
	var whole []Finding
	for i, one := range r.found {
		if !one.kept && one.to < r.at && one.code != Lost {
			r.found[i].kept = true
			whole = append(whole, one.finding())
		}
	}
	if len(whole) == 0 {
		return nil
	}
	return r.s.book.add(whole...)
}

// valid fails where the notary has begun its store anew meanwhile: what was read there
// says nothing of the stream.
func (r *round) valid() error {
	if size, _ := r.s.tree.Published(); size < r.size {
		return errors.New("the leaf store is read again from the stream; it is compared once it is whole")
	}
	return nil
}

// finish replaces what stood from the round before, as far as this one has read.
func (r *round) finish(ctx context.Context) error {
	if err := r.valid(); err != nil {
		return err
	}
	early, err := r.early(ctx)
	if err != nil {
		return err
	}
	if r.tree.size() == r.size && r.tree.root() != r.root && len(r.found) == 0 {
		// Everything is as it is stored, and what is stored was not signed.
		r.found.add(Store, 0, r.size)
	}
	var found []Finding
	for _, one := range r.found.without(r.settled) {
		if one.code == Altered && one.to == r.end {
			one.code = Regrown
		}
		found = append(found, one.finding())
	}
	for _, f := range r.s.book.findings { // behind the end nobody has looked
		if r.at < r.size && f.To > r.at && slices.Contains(judged, f.Code) && !slices.ContainsFunc(found, f.same) {
			found = append(found, f)
		}
	}
	r.s.mute = 0
	r.s.log.Debug("the stream was read again", "messages", r.at, "took", time.Since(r.began), "faults", len(found))
	if err := r.s.book.set(found, judged...); err != nil || !early {
		return err
	}
	r.s.current = nil
	return fmt.Errorf("the hub has shown the stream up to index %d alone, and says elsewhere that it goes on", r.at)
}

// judged are the codes of what a round finds.
var judged = []string{Lost, Altered, Regrown, Store}

// early reports whether the round ended before the tree although the stream does not: a
// hub may say one thing to who reads, and another to who looks at the end. Three
// rounds on end are no accident any more, and what it does not show is lost.
func (r *round) early(ctx context.Context) (bool, error) {
	if r.at >= r.size {
		r.s.early = 0
		return false, nil
	}
	last, err := r.s.last(ctx, r.size)
	if err != nil || last < r.size { // Look says so
		return false, err
	}
	if r.s.early++; r.s.early >= 3 {
		r.found.add(Lost, r.at, r.size)
	}
	return true, nil
}

// errMute says that the hub shows nothing from a place on, and nothing before it
// either: it may be slow.
var errMute = errors.New("the hub answers, and shows no messages")

// silence asks the hub what there is where nothing came.
func (r *round) silence(ctx context.Context) error {
	r.quiet++
	standing, err := r.s.hub.Standing(ctx, stream.Events)
	switch {
	case err != nil:
		return err
	case r.quiet < 2:
		return r.reset(ctx)
	case standing.Missing || standing.Last <= r.at:
		r.end = r.at // Look says so
		return nil
	}
	end := min(r.end, standing.Last)
	next, err := r.seek(ctx, end)
	if err != nil {
		return err
	}
	r.doubt, r.quiet = nil, 0
	r.found.add(Lost, r.at, next)
	if err := r.advance(next, nil); err != nil {
		return err
	}
	return r.reset(ctx)
}

// seek finds the next index from which the hub shows anything, after it has shown
// nothing twice: a broker that cannot read a block stops there for ever, and says
// that there is more. The index is end where it shows nothing at all.
func (r *round) seek(ctx context.Context, end uint64) (uint64, error) {
	silent, next := r.at, end // nothing at silent; something at next, or it is the end
	for step := uint64(1); silent+1 < end; step *= 2 {
		place := min(r.at+step, end-1)
		if _, ok, err := r.s.probe(ctx, place); err != nil {
			return 0, err
		} else if ok {
			next = place
			break
		}
		silent = place
	}
	for silent+1 < next {
		middle := silent + (next-silent)/2
		if _, ok, err := r.s.probe(ctx, middle); err != nil {
			return 0, err
		} else if ok {
			next = middle
		} else {
			silent = middle
		}
	}
	return next, r.certain(ctx, next, end)
}

// certain tells a place that cannot be read from a hub that is slow.
func (r *round) certain(ctx context.Context, next, end uint64) error {
	if _, ok, err := r.s.probe(ctx, next-1); err != nil {
		return err
	} else if ok {
		return fmt.Errorf("index %d came late: the hub is too slow to be judged", next-1)
	}
	if next < end {
		return nil
	}
	if r.at > 0 {
		if _, ok, err := r.s.probe(ctx, r.at-1); err != nil || ok {
			return err
		}
	}
	// Nothing comes from anywhere. Three rounds on end are no slowness any more.
	if r.s.mute++; r.s.mute < 3 {
		return errMute
	}
	return nil
}
