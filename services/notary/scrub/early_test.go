package scrub

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tripoint/tripoint/pkg/stream"
)

// deniesBehind is a hub that shows nothing from a place on, and says to who reads on
// there that the stream ends, and to everybody else that it does not.
type deniesBehind struct {
	*world
	place  uint64
	denies bool
}

func (d *deniesBehind) Standing(ctx context.Context, name string) (stream.Standing, error) {
	standing, err := d.world.Standing(ctx, name)
	if name == stream.Events && d.denies {
		d.denies, standing.Last = false, d.place
	}
	return standing, err
}

// What was found behind stands, since nobody has read there; and who always ends
// there is found out.
func TestAdversary_S01_HubThatEndsTheRoundEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 1000), t.TempDir()
		sound := []stream.Message{w.messages[100], w.messages[700]}
		w.messages[100].Data, w.messages[700].Data = nil, nil
		rounds(t, w.scrubber(directory), 5*time.Minute)
		lost := []Finding{{Code: Lost, From: 100, To: 101}, {Code: Lost, From: 700, To: 701}}
		found(t, directory, lost...)

		w.messages[100] = sound[0]
		hub := &deniesBehind{world: w, place: 500}
		w.mute = func(s uint64) bool {
			hub.denies = s == 501
			return s > 500
		}
		s := w.scrubber(directory)
		s.hub, s.pace.Look = hub, time.Hour
		for range 2 {
			if err := s.round(t.Context()); err == nil || !strings.Contains(err.Error(), "up to index 500 alone") {
				t.Fatalf("a round that the hub ended: %v", err)
			}
			found(t, directory, lost[1])
		}
		if err := s.round(t.Context()); err == nil {
			t.Fatal("the third round ended as if all were well")
		}
		found(t, directory, Finding{Code: Lost, From: 500, To: 1000}, lost[1])

		w.mute, w.messages[700] = nil, sound[1]
		rounds(t, w.scrubber(directory), 5*time.Minute)
		found(t, directory)
	})
}

// The stream is deleted between two looks, in the middle of a round. The broker answers
// nothing about a consumer that went with it; that the stream is missing is found all the same.
func TestAdversary_S02_StreamDeletedInTheMiddleOfARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, directory := newWorld(t, 1000), t.TempDir()
		w.mute = func(sequence uint64) bool {
			if sequence == 500 {
				w.messages, w.standing[stream.Events] = nil, stream.Standing{Missing: true}
			}
			return w.messages == nil
		}
		rounds(t, w.scrubber(directory), time.Minute)
		found(t, directory, Finding{Code: Weakened}, Finding{Code: Regressed, From: 0, To: 1000})
	})
}
