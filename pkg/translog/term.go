package translog

import (
	"fmt"
	"sort"
)

// Term is a policy and the first size that it is for.
type Term struct {
	From   uint64 // a size, at most MaxSize; up to the next term's
	Policy Policy
}

// Policies are the terms of one log, in rising order of From, the first from 0.
// Which policy judges a checkpoint depends on its size alone, never on a clock or
// on when somebody learned of a change: so all come to the same verdict on it.
type Policies []Term

// Always is the policies of a log that never changes them. It shares p's memory.
func (p Policy) Always() Policies { return Policies{{Policy: p}} }

// At is the policy for a size. It is the zero Policy, which is not valid, where no term begins so low.
func (p Policies) At(size uint64) Policy {
	if i := p.term(size); i >= 0 {
		return p[i].Policy
	}
	return Policy{}
}

// term is the place in p of the term for a size, or -1.
func (p Policies) term(size uint64) int {
	return sort.Search(len(p), func(i int) bool { return p[i].From > size }) - 1
}

// Validate refuses terms that leave a size without a policy or with two, a policy
// that is not valid, and a change of the origin. Errors: *Malformed.
func (p Policies) Validate() error { return p.validate(0) }

// validate is Validate where the first known terms are known to be valid.
func (p Policies) validate(known int) error {
	if len(p) == 0 || p[0].From != 0 {
		return malformed("no policy from size 0 on")
	}
	for i := known; i < len(p); i++ {
		term := p[i]
		if err := checkSize(term.From); err != nil {
			return fmt.Errorf("policy %d: %w", i, err)
		}
		if i == 0 || !term.Policy.sameSigners(p[i-1].Policy) {
			if err := term.Policy.Validate(); err != nil {
				return fmt.Errorf("policy from size %d on: %w", term.From, err)
			}
		}
		if i > 0 && term.From <= p[i-1].From {
			return malformed("a policy from size %d on stands after one from %d on", term.From, p[i-1].From)
		}
		if term.Policy.Origin != p[0].Policy.Origin {
			return malformed("policy from size %d on is of another log", term.From)
		}
	}
	return nil
}

// clone shares nothing with p.
func (p Policies) clone() Policies { return Policies{}.extend(p) }

// extend appends copies of terms. Those in a row with the same signers share theirs:
// most updates of a registry change none.
func (p Policies) extend(terms Policies) Policies {
	for _, term := range terms {
		last := len(p) - 1
		if last >= 0 && term.Policy.sameSigners(p[last].Policy) {
			head := term.Policy.Registry
			term.Policy = p[last].Policy
			term.Policy.Registry = head
		} else {
			term.Policy = term.Policy.clone()
		}
		p = append(p, term)
	}
	return p
}

// common is a number of leading terms that p and q share. A registry's head stands
// for all updates below it, and these for all terms: where both have one, nothing
// before it needs to be compared. So a log's thousandth update costs as little as its first.
func (p Policies) common(q Policies) int {
	for i := min(len(p), len(q)) - 1; i >= 0; i-- {
		if p[i].From == q[i].From && p[i].Policy.Registry == q[i].Policy.Registry && p[i].Policy.Registry != (Hash{}) {
			return i + 1
		}
	}
	return 0
}

// agree reports whether p and q, whose first known terms are the same, have the same
// policy for every size up to size. It suffices to compare where a term of either begins.
func (p Policies) agree(q Policies, known int, size uint64) bool {
	for _, terms := range []Policies{p, q} {
		for i := known; i < len(terms) && terms[i].From <= size; i++ {
			if from := terms[i].From; !p.At(from).Equal(q.At(from)) {
				return false
			}
		}
	}
	return true
}

// OpenCheckpoint verifies the signature of the notary for the size that the note
// states, and the registry that it names, and returns its checkpoint. Other
// signatures may stand beside it. The terms must reach as far as the registry does
// at that size. Errors: *Malformed, *BadSignature, *OtherRegistry.
func (p Policies) OpenCheckpoint(data []byte) (Checkpoint, error) {
	signed, err := p.openCheckpoint(data)
	if err == nil {
		err = p.At(signed.Checkpoint.Size).admits(signed)
	}
	return signed.Checkpoint, err
}

// Plain is a checkpoint's note with the signatures that it must have for the size that
// it states and no other, in their order: the one form of it as evidence. The
// registry is not looked at. Errors as of OpenCheckpoint.
func (p Policies) Plain(data []byte) ([]byte, error) {
	signed, err := p.openCheckpoint(data)
	return signed.Note, err
}

// openCheckpoint does not look at the registry.

func (p Policies) openCheckpoint(data []byte) (Signed, error) {
	size, err := claimedSize(data)
	if err != nil {
		return Signed{}, fmt.Errorf("opening a checkpoint: %w", err)
	}
	policy := p.At(size)
	signed, err := policy.openCheckpoint(data)
	if err != nil {
		return Signed{}, err
	}
	if signed.Checkpoint.Size != size {
		return Signed{}, malformed("the note states two sizes")
	}
	return signed, nil
}

// OpenCosignature verifies a note with exactly one signature of a mirror of the
// policy for the size that the note states, and returns the mirror's country, the
// checkpoint, and the time of the cosignature in seconds since 1970. The notary's
// signature is not looked at, nor is the registry. Errors: ErrUnknownWitness, *BadSignature, *Malformed.
func (p Policies) OpenCosignature(data []byte) (country string, c Checkpoint, unixSeconds uint64, err error) {
	opened, err := p.openCosignature(data)
	if err != nil {
		return "", Checkpoint{}, 0, err
	}
	return opened.country, opened.signed.Checkpoint, opened.time, nil
}

func (p Policies) openCosignature(data []byte) (cosignature, error) {
	size, err := claimedSize(data)
	if err != nil {
		return cosignature{}, fmt.Errorf("opening a cosignature: %w", err)
	}
	opened, err := p.At(size).openCosignature(data)
	if err != nil {
		return cosignature{}, err
	}
	if opened.signed.Checkpoint.Size != size {
		return cosignature{}, malformed("the note states two sizes")
	}
	return opened, nil
}

// admits reports whether a cosignature, verified earlier and perhaps under other
// terms, is by a mirror of the policy for its size: what was verified was that
// country's key, so that the same key is the same verdict.
func (p Policies) admits(c cosignature) bool {
	return c.key.Equal(p.At(c.signed.Checkpoint.Size).Mirrors[c.country])
}
