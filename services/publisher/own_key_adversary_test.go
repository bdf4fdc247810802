package publisher

import (
	"testing"

	"connectrpc.com/connect"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

// K07: who may hand in reports, and nothing else, uses the key up under which an erasure would be said. It is
// refused: the publisher's own reports have keys that are nobody else's, and the erasure is said.
func TestAdversary_K07_KeyOfTheErasureIsUsedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := w.notary()
	n.checkpoint(1)
	p := w.start(t.TempDir())
	id := p.publish(reports("a", 1)...)[0].GetEventId()
	p.untilStored(1)
	n.witness()
	p.untilWitnessed(1)
	first := report("tripoint erased " + id)
	_, err := p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: reports("b", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.client.Publish(t.Context(), &publisherv1.PublishRequest{Reports: append(reports("c", 1), first)}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a report under the erasure's key: %v", err)
	}
	p.erase("a mistake", id)
	p.untilErased()
	p.until("what is accepted is on the hub", func(s *publisherv1.GetStatusResponse) bool { return s.GetWaiting() == 0 })
	if w.erasures()[id] == nil {
		t.Error("nothing in the log says the erasure")
	}
}
