package publisher

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
)

// signingKey is that of our keys which the registry says is the agency's now. Its
// error says what the operator can do where there is none.
func (p *Publisher) signingKey(view *logView) (event.SigningKey, error) {
	for _, key := range p.keys {
		enrolled, ok := view.state.Key(key.ID)
		if ok && p.ours(enrolled) && view.state.Invalid(enrolled, view.from) == nil {
			return p.withSecond(key, enrolled)
		}
	}
	var have []string
	for _, key := range p.keys {
		have = append(have, p.describeKey(view, key.ID))
	}
	who := p.config.Country + "/" + p.config.Agency
	advice := fmt.Sprintf("no key is enrolled for %s: have the root of %s enrol one", who, p.config.Country)
	if agency, _ := view.state.Agency(p.config.Country, p.config.Agency); agency.Key != (event.KeyID{}) {
		advice = fmt.Sprintf("the key of %s is now %s: configure its key file, or have the root of %s revoke it and enrol another",
			who, agency.Key, p.config.Country)
	}
	return event.SigningKey{}, fmt.Errorf("%s; %s", strings.Join(have, "; "), advice)
}

// withSecond is a key with the second key that the registry names beside it.
func (p *Publisher) withSecond(key event.SigningKey, enrolled registry.Key) (event.SigningKey, error) {
	if len(enrolled.Second) == 0 {
		return key, nil
	}
	for _, beside := range p.config.SecondKeys {
		if bytes.Equal(beside.Public(), enrolled.Second) {
			key.Second = beside
			return key, nil
		}
	}
	return event.SigningKey{}, fmt.Errorf("the registry names the second key %.8x… beside %s, and it is not configured: both have to sign", enrolled.Second, key.ID)
}

func (p *Publisher) describeKey(view *logView, id event.KeyID) string {
	enrolled, ok := view.state.Key(id)
	switch {
	case !ok:
		return fmt.Sprintf("the key %s that is configured is not enrolled (yet)", id)
	case !p.ours(enrolled):
		return fmt.Sprintf("the key %s that is configured is that of %s/%s", id, enrolled.Country, enrolled.Agency)
	}
	return fmt.Sprintf("the key %s that is configured may not sign: %v", id, view.state.Invalid(enrolled, view.from))
}

func (p *Publisher) ours(key registry.Key) bool {
	return key.Country == p.config.Country && key.Agency == p.config.Agency
}

// checkKeys refuses keys that the registry gives to somebody else. One that is not
// valid, yet or any more, is not refused: that changes while the publisher runs.
func (p *Publisher) checkKeys(state registry.State) error {
	for _, key := range p.keys {
		if enrolled, ok := state.Key(key.ID); ok && !p.ours(enrolled) {
			return fmt.Errorf("this key is that of %s/%s in the registry, not of %s/%s",
				enrolled.Country, enrolled.Agency, p.config.Country, p.config.Agency)
		}
		if owner := holder(state, key.Signer.Public()); owner != "" {
			return fmt.Errorf("this key is that of %s in the registry, not of %s/%s", owner, p.config.Country, p.config.Agency)
		}
	}
	if len(p.keys) == 2 && p.keys[0].ID == p.keys[1].ID {
		return errors.New("the key and the next key are the same")
	}
	return nil
}

// holder names who has a key that is not for publishing.
func holder(state registry.State, public crypto.PublicKey) string {
	key, ok := public.(ed25519.PublicKey)
	if !ok {
		return ""
	}
	for _, m := range state.Members() {
		switch {
		case key.Equal(m.Root):
			return m.Country + "'s root"
		case key.Equal(m.Mirror):
			return m.Country + "'s mirror"
		}
	}
	if policy, err := state.Policy(); err == nil && key.Equal(policy.Notary) {
		return "the notary"
	}
	return ""
}

// barred says why the country or the agency may not publish at all, and what ends
// that; empty where it may.
func (p *Publisher) barred(view *logView) string {
	country, agency := p.config.Country, p.config.Country+"/"+p.config.Agency
	member, known := view.state.Member(country)
	enrolled, found := view.state.Agency(country, p.config.Agency)
	switch {
	case !known:
		return fmt.Sprintf("%s is no member, as far as the log is known here (%d messages): what is accepted waits here until it is admitted", country, view.size)
	case member.Status == registry.Left:
		return fmt.Sprintf("%s has left, at index %d: nothing more is published for it. What is accepted waits here; it goes out if %s is admitted again and enrols a key for %s",
			country, member.Since, country, agency)
	case member.Status == registry.Suspended:
		return fmt.Sprintf("%s is suspended since index %d (%s): what is accepted waits here; it goes out when %s is reinstated",
			country, member.Since, member.Reason, country)
	case !found:
		return fmt.Sprintf("the agency %s is not enrolled, as far as the log is known here (%d messages): have the root of %s enrol it", agency, view.size, country)
	case enrolled.Retired != 0:
		return fmt.Sprintf("the agency %s was retired at index %d: nothing more is published for it. What is accepted waits here; hand it to another agency of %s",
			agency, enrolled.Retired, country)
	}
	return ""
}

// standing says why nothing at all can be signed; empty where something can.
func (p *Publisher) standing(view *logView) string {
	if words := p.barred(view); words != "" {
		return words
	}
	if _, err := p.signingKey(view); err != nil {
		return err.Error() + "; what is accepted waits here"
	}
	return ""
}

// waits says which audiences' reports cannot go out as the registry is now.
func (p *Publisher) waits(view *logView, waiting map[string]uint64) []string {
	if p.barred(view) != "" {
		return nil // said already
	}
	var reasons []string
	for _, id := range slices.Sorted(maps.Keys(waiting)) {
		if audience, ok := view.state.Audience(id); !ok || !audience.Has(p.config.Country) {
			reasons = append(reasons, fmt.Sprintf("audience %s: %s is not in it any more; %d reports wait here, and go out if it joins again",
				id, p.config.Country, waiting[id]))
		}
	}
	return reasons
}
