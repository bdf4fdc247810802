package desk

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// keys are the mirror keys that a desk holds, by public key.
type keys map[string]*translog.Mirror

// holdKeys takes the configured keys. It refuses one that the registry, as far as
// it is journaled, gives to somebody else. One that nobody has, or has not yet, or
// has no more, is no mistake: it is not signed with.
func holdKeys(state registry.State, country string, signers ...crypto.Signer) (keys, error) {
	policy, err := state.Policy()
	if err != nil {
		return nil, err
	}
	held := keys{}
	for _, signer := range signers {
		if signer == nil {
			continue
		}
		public, ok := signer.Public().(ed25519.PublicKey)
		if !ok {
			return nil, fmt.Errorf("a mirror key is a %T, want Ed25519", signer.Public())
		}
		if owner := ownerOf(state, country, public); owner != "" {
			return nil, fmt.Errorf("the mirror key %x that is configured for %s is %s in the registry", []byte(public), country, owner)
		}
		if held[string(public)], err = translog.NewMirror(policy.Origin, country, signer); err != nil {
			return nil, err
		}
	}
	if len(held) == 0 {
		return nil, errors.New("no mirror key is configured")
	}
	return held, nil
}

// ownerOf says whose a key is, or was, if it is not the mirror key of a country.
func ownerOf(state registry.State, country string, public ed25519.PublicKey) string {
	terms, err := state.Policies()
	if err != nil {
		return ""
	}
	for _, term := range terms {
		if public.Equal(term.Policy.Notary) {
			return "the notary's"
		}
		for other, mirror := range term.Policy.Mirrors {
			if other != country && public.Equal(mirror) {
				return "the mirror key of " + other
			}
		}
	}
	for _, member := range state.Members() {
		if public.Equal(member.Root) {
			return "the root key of " + member.Country
		}
		if member.Country != country && public.Equal(member.Mirror) {
			return "the mirror key of " + member.Country
		}
	}
	if key, ok := state.Key(event.KeyIDOf(event.RolePublisher, public)); ok {
		return "the publisher key of " + key.Country + "/" + key.Agency
	}
	return ""
}

// at is the key that a policy names for a country; nil where this desk does not
// hold it.
func (k keys) at(policy translog.Policy, country string) *translog.Mirror {
	return k[string(policy.Mirrors[country])]
}

// forsake takes away the keys that are known to have signed what the journal does
// not know, whether that alarm was settled or not: nobody here can say what else
// they have signed, so that a second root for a size could be.
func (d *Desk) forsake(ctx context.Context) (lost map[string]bool, err error) {
	policy, err := d.founded.Policy()
	if err != nil {
		return nil, err
	}
	all, err := d.journal.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	lost = map[string]bool{}
	for _, alarm := range all {
		for public := range d.keys {
			policy.Mirrors = map[string]ed25519.PublicKey{d.config.Country: ed25519.PublicKey(public)}
			policy.Quorum = 1
			if _, _, _, err := policy.Always().OpenCosignature(alarm.Got); alarm.Code == AlarmStateLost && err == nil {
				lost[public] = true
			}
		}
	}
	for public := range lost {
		delete(d.keys, public)
	}
	return lost, nil
}
