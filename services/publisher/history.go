package publisher

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
)

// history is the registry as the log has it: chapters in rising order, the first of
// which is at or before all that is asked for.
type history []chapter

// chapter is the state by which readers judge the messages from a log index on, up
// to the next chapter.
type chapter struct {
	from  uint64
	state registry.State
}

// at is the chapter of an index, which is also that of a log of so many leaves.
func (h history) at(index uint64) chapter {
	for i := len(h) - 1; i > 0; i-- {
		if h[i].from <= index {
			return h[i]
		}
	}
	return h[0]
}

func (h history) last() chapter { return h[len(h)-1] }

// since leaves out the chapters that ended before an index.
func (h history) since(index uint64) history {
	for len(h) > 1 && h[1].from <= index {
		h = h[1:]
	}
	return h
}

// ends is the first index from which on an envelope signed with a key, to an
// address, is refused by all readers; ok is false where there is none yet.
func (h history) ends(key event.KeyID, address string) (index uint64, ok bool) {
	for _, c := range h {
		if c.ended(key, address) != nil {
			return c.from, true
		}
	}
	return 0, false
}

// ended says why nothing signed with this key to this address is accepted any more;
// nil where it is, or not yet. What has ended is ended for good: no key is
// enrolled twice, a member that comes back has other keys, and whoever comes
// back into an audience opens a new address.
func (c chapter) ended(key event.KeyID, address string) error {
	enrolled, ok := c.state.Key(key)
	if began := circle(address); !ok || began > 0 && c.from <= began {
		return nil
	}
	if err := c.state.Invalid(enrolled, c.from); err != nil {
		return fmt.Errorf("the key %s: %w", key, err)
	}
	_, err := c.state.Open(enrolled.Country, address)
	return err
}

// circle is the log index at which an address began, 0 for one of the founding.
func circle(address string) uint64 {
	_, began, _ := strings.Cut(address, "_")
	index, err := strconv.ParseUint(began, 10, 64)
	if err != nil {
		return 0
	}
	return index
}
