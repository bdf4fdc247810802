package translog

import (
	"fmt"
	"sort"
)

// maxKept is how many checkpoints that are not yet witnessed are kept, the
// newest of them; at five a second, more than three minutes of them.
const maxKept = 1024

// Follower is what publisher, desk and auditor know of the log. It takes in what
// the notary publishes and what mirrors cosign, in the order of the log stream,
// and recomputes every root. It is not safe for concurrent use.
//
// Every checkpoint and cosignature is judged under the policy for its size. The
// caller adopts the terms that the events below a size lay down before it gives the
// follower the leaves up to that size; whether long before or just before makes no difference.
//
// Invariants: the root of frontier is that of the newest kept checkpoint; kept is
// in ascending order of size; no two kept checkpoints have one size; nothing kept
// is unverified; every counted cosignature is of a kept checkpoint; memory is
// bounded whatever is sent.
type Follower struct {
	policies  Policies
	anyhow    bool   // see IgnoreRegistry
	epoch     uint64 // of the newest leaf
	frontier  Frontier
	again     *Frontier              // the tree as it is read once more, up to the size of frontier; nil: it is not
	kept      []Signed               // the notary's: the newest witnessed one, if any, and those after it
	cosigned  map[seat]cosignature   // of kept ones: the newest of each mirror
	witnessed bool                   // kept[0] has a quorum
	forgotten uint64                 // the largest size that was kept once and is not any more
	pending   map[string]cosignature // by country: the newest of a size that is not here yet
}

// Batch is what one message of the notary added.
type Batch struct {
	Epoch      uint64   // of the leaves: a higher one begins with a Restoration
	Start      uint64   // log index of the first leaf
	Hashes     []Hash   // leaf hashes; none when the message only repeats the newest checkpoint
	Labels     []string // for each leaf its audience as the notary states it; this is not signed
	Checkpoint Checkpoint
	Counted    []Cosigned // cosignatures that were waiting for this checkpoint
	Refused    []error    // cosignatures that were waiting and do not fit: *Fork, ErrUnpublished, ErrUnknownWitness
}

// Cosigned is one cosignature that was verified.
type Cosigned struct {
	Country    string
	Checkpoint Checkpoint
	Time       uint64 // seconds since 1970, by the mirror's clock
	Pending    bool   // the size is ahead of the follower: verified, and not counted yet
}

// NewFollower follows a log from its first leaf, under the terms as known now.
func NewFollower(policies Policies) (*Follower, error) {
	if err := policies.Validate(); err != nil {
		return nil, err
	}
	return &Follower{policies: policies.clone(), cosigned: map[seat]cosignature{}, pending: map[string]cosignature{}}, nil
}

// Adopt takes on the terms as known now, all of them. They may differ from those
// known before only above the follower's size: what was judged stays judged.
// Errors: *Malformed, ErrRewritten; none of them changes the follower.
func (f *Follower) Adopt(policies Policies) error {
	known := f.policies.common(policies)
	if err := policies.validate(known); err != nil {
		return fmt.Errorf("adopting policies: %w", err)
	}
	if !f.policies.agree(policies, known, f.Size()) {
		return fmt.Errorf("adopting policies at size %d: %w", f.Size(), ErrRewritten)
	}
	f.policies = f.policies[:known].extend(policies[known:])
	return nil
}

// IgnoreRegistry has the follower take in checkpoints from now on whatever registry
// they name. It is for an audit, which has said that they name another one and
// still looks at all the rest. A snapshot does not keep it.
func (f *Follower) IgnoreRegistry() { f.anyhow = true }

// Size is the number of leaves that the follower has.
func (f *Follower) Size() uint64 { return f.frontier.Size() }

// Epoch is that of the newest leaf: how often the stream had been restored.
func (f *Follower) Epoch() uint64 { return f.epoch }

// Checkpoint is the newest verified checkpoint; ok is false before the first.
func (f *Follower) Checkpoint() (c Checkpoint, ok bool) {
	if len(f.kept) == 0 {
		return Checkpoint{}, false
	}
	return f.kept[len(f.kept)-1].Checkpoint, true
}

// Witnessed is the newest checkpoint that a quorum of the mirrors for its size has
// cosigned, and the countries that did, sorted; ok is false while there is none. A
// mirror also cosigns every smaller size: it recomputes the tree and never signs a
// smaller one than before, and the follower has itself seen that all checkpoints
// here are of one tree. So each country counts by its newest cosignature.
func (f *Follower) Witnessed() (c Checkpoint, countries []string, ok bool) {
	if !f.witnessed {
		return Checkpoint{}, nil, false
	}
	c = f.kept[0].Checkpoint
	return c, f.CosignedBy(c.Size), true
}

// CosignedBy is the countries that cosigned the checkpoint of this size or a larger
// one, with the key that they have at this size, sorted; none when the size is not
// kept (any more).
func (f *Follower) CosignedBy(size uint64) []string {
	if _, ok := f.find(size); !ok {
		return nil
	}
	var countries []string
	for _, c := range f.cosigners(size) {
		countries = append(countries, c.country)
	}
	return countries
}

// find is the kept checkpoint of a size.
func (f *Follower) find(size uint64) (Signed, bool) {
	i := f.below(size)
	if i == len(f.kept) || f.kept[i].Checkpoint.Size != size {
		return Signed{}, false
	}
	return f.kept[i], true
}

// below is how many of the kept checkpoints are smaller than size.
func (f *Follower) below(size uint64) int {
	return sort.Search(len(f.kept), func(i int) bool { return f.kept[i].Checkpoint.Size >= size })
}
