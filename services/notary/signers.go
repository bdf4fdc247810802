package notary

import (
	"crypto"
	"crypto/ed25519"
	"errors"

	"github.com/tripoint/tripoint/pkg/second"
	"github.com/tripoint/tripoint/pkg/translog"
)

// signers are the keys that this notary holds, by their public halves. Which
// second key belongs beside which key, if any, the charter alone says.
type signers struct {
	keys    map[string]*translog.Notary
	seconds map[string]*second.Key
}

func newSigners(config Config, origin string) (signers, error) {
	held := signers{keys: map[string]*translog.Notary{}, seconds: map[string]*second.Key{}}
	for _, key := range []crypto.Signer{config.Key, config.NextKey} {
		if key == nil {
			continue
		}
		signer, err := translog.NewNotary(origin, key)
		if err != nil {
			return signers{}, err
		}
		held.keys[string(key.Public().(ed25519.PublicKey))] = signer
	}
	if len(held.keys) == 0 {
		return signers{}, errors.New("no key")
	}
	for _, key := range config.SecondKeys {
		if key != nil {
			held.seconds[string(key.Public())] = key
		}
	}
	return held, nil
}

// under is the signer that a policy names, with its second key where it names one;
// nil where one of the two is not here: half of what is needed is never signed.
func (s signers) under(policy translog.Policy) *translog.Notary {
	signer := s.keys[string(policy.Notary)]
	if signer == nil || len(policy.NotarySecond) == 0 {
		return signer
	}
	beside := s.seconds[string(policy.NotarySecond)]
	if beside == nil {
		return nil
	}
	return signer.WithSecond(beside)
}

// largest is the largest size above from, up to end, that one of the keys may
// sign, and that key; nil: there is none.
func (s signers) largest(policies translog.Policies, from, end uint64) (uint64, *translog.Notary) {
	last := end
	for i := len(policies) - 1; i >= 0; i-- {
		first := max(policies[i].From, from+1)
		if first <= last {
			if signer := s.under(policies[i].Policy); signer != nil {
				return last, signer
			}
		}
		if policies[i].From <= last && policies[i].From > 0 {
			last = policies[i].From - 1
		}
	}
	return 0, nil
}

// unnamed reports whether one of the keys is not, or not yet, the notary's for any size.
func (s signers) unnamed(policies translog.Policies) bool {
	keys, seconds := map[string]bool{}, map[string]bool{}
	for _, term := range policies {
		keys[string(term.Policy.Notary)], seconds[string(term.Policy.NotarySecond)] = true, true
	}
	for public := range s.keys {
		if !keys[public] {
			return true
		}
	}
	for public := range s.seconds {
		if !seconds[public] {
			return true
		}
	}
	return false
}
