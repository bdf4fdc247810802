package journal

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A message and another leaf than its own never stand in the journal together,
// whichever came first.
func TestAMessageFitsItsLeaf(t *testing.T) {
	j, _ := filled(t) // messages 0, 3 and 4, leaves 0 and 1
	refused := func(what string, err error, index uint64) {
		t.Helper()
		if contrary, ok := errors.AsType[*Contrary](err); !ok || contrary.Message.Index != index {
			t.Errorf("%s: %v, want message %d to be contrary", what, err, index)
		}
	}
	wrong := leaf(3)
	wrong.Hash[0] ^= 1
	refused("leaves after the message", j.Mirror(t.Context(), []Leaf{leaf(2), wrong}, nil, Place{Sequence: 10}), 3)
	if place, err := j.Place(t.Context()); err != nil || place.Sequence != 9 {
		t.Errorf("the place has moved to %d: %v", place.Sequence, err)
	}
	must(t, j.Mirror(t.Context(), []Leaf{leaf(2), {Index: 3, Hash: hashOf(message(3, "evt.b"))}, {Index: 4, Hash: hashOf(message(4, "evt.\xff"))}, leaf(5)}, nil, Place{Sequence: 10}))
	refused("a message after its leaf", j.Append(t.Context(), []Message{message(5, "evt.c")}), 5)
	must(t, j.Append(t.Context(), []Message{message(5, "s"), message(6, "evt.d")}))
}

// Mend puts in what was left out and replaces what is not in the log; what it replaces
// is kept, and what is below the mirror's size stays.
func TestMend(t *testing.T) {
	j, path := filled(t)
	fit := []Message{message(1, "evt.late"), message(2, "evt.b"), message(3, "evt.other"), message(9, "reg.z")}
	must(t, j.Mend(t.Context(), fit, time.Unix(8, 0)))
	must(t, j.Close())
	j = reopen(t, path)
	all, err := j.Messages(t.Context(), 0, 10)
	must(t, err)
	if diff := cmp.Diff([]Message{message(0, "reg.a"), fit[1], fit[2], message(4, "evt.\xff"), fit[3]}, all); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	registry, err := j.Registry(t.Context(), 0, 10)
	must(t, err)
	if len(registry) != 2 || registry[1].Index != 9 {
		t.Errorf("registry: %v", registry)
	}
	aside, err := j.Unlogged(t.Context())
	must(t, err)
	if diff := cmp.Diff([]Message{message(5, "evt.c"), message(3, "evt.b")}, aside); diff != "" {
		t.Errorf("set aside (-want +got):\n%s", diff)
	}
}
