package pilot

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
	"github.com/tripoint/tripoint/services/pilot/scenario"
)

// found reads the data directory's charter, or founds it: makes everybody's keys
// and has every root sign. The charter is written last, so a crash before that
// founds again with the keys that are there.
func found(layout Layout, founding *scenario.Founding) (registry.Charter, error) {
	message, err := keyfile.OrCreate(layout.charter(), func() ([]byte, error) {
		charter, err := sign(layout, founding)
		return charter.Message, err
	})
	if err != nil {
		return registry.Charter{}, fmt.Errorf("founding the log: %w", err)
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return registry.Charter{}, fmt.Errorf("the charter in %s: %w", layout.charter(), err)
	}
	return charter, nil
}

func sign(layout Layout, founding *scenario.Founding) (registry.Charter, error) {
	statement, err := state(layout, founding)
	if err != nil {
		return registry.Charter{}, err
	}
	update, err := registry.Draft(statement)
	if err != nil {
		return registry.Charter{}, err
	}
	var signatures []*registryv1.RootSignature
	for _, country := range founding.Members {
		root, err := keyfile.Signer(layout.root(country), keyfile.Unsealed)
		if err != nil {
			return registry.Charter{}, err
		}
		signature, err := registry.SignRoot(country, root, update)
		if err != nil {
			return registry.Charter{}, err
		}
		signatures = append(signatures, signature)
	}
	return registry.Seal(update, signatures)
}

// state is the founding with the public halves of all keys in it.
func state(layout Layout, founding *scenario.Founding) (*registryv1.Founding, error) {
	keys := keyMaker{}
	statement := &registryv1.Founding{
		Name: founding.Name, Origin: founding.Origin, Threshold: founding.Threshold, Quorum: founding.Quorum,
		NotaryKey: keys.public(layout.notaryKey()),
	}
	for _, country := range founding.Members {
		statement.Members = append(statement.Members, &registryv1.Member{
			Country: country, RootKey: keys.public(layout.root(country)), RootNext: keys.next(layout.root(country)),
			MirrorKey: keys.public(layout.mirrorKey(country)), MirrorNext: keys.next(layout.mirrorKey(country)),
		})
	}
	for _, a := range founding.Agencies {
		statement.Agencies = append(statement.Agencies, &registryv1.Agency{
			Country: a.Country, Agency: a.Agency, Name: a.Name,
			PublisherKey:  keys.public(layout.publisherKey(voice{a.Country, a.Agency})),
			PublisherNext: keys.next(layout.publisherKey(voice{a.Country, a.Agency})),
		})
	}
	for _, a := range founding.Audiences {
		statement.Audiences = append(statement.Audiences, &registryv1.Audience{
			Audience: a.Audience, Members: a.Members, Purposes: a.Purposes,
		})
	}
	for _, r := range founding.Retention {
		statement.RetentionClasses = append(statement.RetentionClasses, &registryv1.RetentionClass{Retention: r.Class, Days: r.Days})
	}
	statement.OpeningKeys = keys.openings(layout, founding.Members)
	return statement, keys.failed
}

// keyMaker makes keys and remembers the first failure.
type keyMaker struct{ failed error }

func (k *keyMaker) public(path string) []byte {
	if k.failed != nil {
		return nil
	}
	private, err := keyfile.Signer(path, keyfile.Unsealed)
	if err != nil {
		k.failed = err
		return nil
	}
	return private.Public().(ed25519.PublicKey)
}

// openings are the opening keys of all members' desks, in the order that a founding has them in.
func (k *keyMaker) openings(layout Layout, members []string) []*registryv1.OpeningKey {
	var all []*registryv1.OpeningKey
	for _, country := range slices.Sorted(slices.Values(members)) {
		for _, compartment := range event.Compartments() {
			path := layout.openingKey(country, compartment)
			public, successor := k.opening(path), k.opening(path+".next")
			if k.failed != nil {
				return nil
			}
			next := registry.CommitmentOf(successor)
			all = append(all, &registryv1.OpeningKey{Country: country, Compartment: uint32(compartment), PublicKey: public, Next: next[:]})
		}
	}
	return all
}

func (k *keyMaker) opening(path string) []byte {
	if k.failed != nil {
		return nil
	}
	private, err := keyfile.Opening(path, keyfile.Unsealed)
	if err != nil {
		k.failed = err
		return nil
	}
	return private.PublicKey().Bytes()
}

// next is the commitment to the successor of a key, which lies beside it.
func (k *keyMaker) next(path string) []byte {
	successor := k.public(path + ".next")
	if k.failed != nil {
		return nil
	}
	commitment := registry.CommitmentOf(successor)
	return commitment[:]
}
