package verdict

import (
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
)

// Memory is Chains in memory: 32 bytes an accepted event. The zero Memory is ready.
type Memory struct {
	heads   map[event.Chain]event.Head
	headers map[event.Chain][]event.Digest
}

// Head is where a chain stands.
func (m *Memory) Head(chain event.Chain) (event.Head, error) { return m.heads[chain], nil }

// HeaderAt is the digest of an accepted header.
func (m *Memory) HeaderAt(chain event.Chain, counter uint64) (event.Digest, error) {
	headers := m.headers[chain]
	if counter == 0 || counter > uint64(len(headers)) {
		return event.Digest{}, fmt.Errorf("chain %s has no counter %d", chain, counter)
	}
	return headers[counter-1], nil
}

// Take records an accepted event.
func (m *Memory) Take(v event.Verified) {
	if m.heads == nil {
		m.heads = map[event.Chain]event.Head{}
		m.headers = map[event.Chain][]event.Digest{}
	}
	m.heads[v.Chain] = event.Head{Counter: v.Counter, Digest: v.HeaderDigest, LastID: v.ID}
	m.headers[v.Chain] = append(m.headers[v.Chain], v.HeaderDigest)
}
