package console

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// draft is a decision that an officer is about to make. It stays on the desk, so that a page that is
// loaded again has what was written, and no address has any of it. Its key makes
// the decision one, however often it is sent.
type draft struct {
	key      string
	owner    secretKey
	index    uint64
	action   string
	values   url.Values
	problems []string // keys of texts: what has to be mended first
	outcome  string   // done, refused, failed; empty: it was not sent yet
	why      string   // of a refusal, in the publisher's words
	place    int      // the newer, the higher
}

// draftsEach bounds what one session keeps: the oldest goes.
const draftsEach = 20

// drafts are kept in memory. A restart forgets them, as it does sessions.
type drafts struct {
	mu  sync.Mutex
	all map[secretKey]draft // by digest of the key
	put int
}

func newDrafts() *drafts { return &drafts{all: map[secretKey]draft{}} }

// keep stores a draft, and returns it with its key.
func (d *drafts) keep(one draft) draft {
	d.mu.Lock()
	defer d.mu.Unlock()
	if one.key == "" {
		one.key = newSecret()
	}
	d.put++
	one.place = d.put
	d.all[sha256.Sum256([]byte(one.key))] = one
	var own []draft
	for _, other := range d.all {
		if other.owner == one.owner {
			own = append(own, other)
		}
	}
	slices.SortFunc(own, func(a, b draft) int { return b.place - a.place })
	for _, old := range own[min(len(own), draftsEach):] {
		delete(d.all, sha256.Sum256([]byte(old.key)))
	}
	return one
}

// find gives a session's own draft of an action on an event.
func (d *drafts) find(owner secretKey, index uint64, action, key string) (draft, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	one, ok := d.all[sha256.Sum256([]byte(key))]
	return one, ok && one.owner == owner && one.index == index && one.action == action
}

// forget drops the drafts of a session that has ended.
func (d *drafts) forget(owner secretKey) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, one := range d.all {
		if one.owner == owner {
			delete(d.all, at)
		}
	}
}

// Value is what was written into a field.
func (d draft) Value(field string) string { return strings.TrimSpace(d.values.Get(field)) }

// Has says whether a box was ticked.
func (d draft) Has(field, value string) bool { return slices.Contains(d.values[field], value) }

// Key, Why and Chosen are for templates.
func (d draft) Key() string      { return d.key }
func (d draft) Why() string      { return d.why }
func (d draft) Chosen() []string { return d.values["compartment"] }
