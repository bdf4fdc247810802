package seal

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// ErrNobody says that sections would be left that nobody could open.
var ErrNobody = errors.New("nobody would be left who could open it")

// Narrow is the next revision of a record, without the wraps that are not to be kept. Like Erase it
// needs no secret, and leaves all else as it is. dropped are those wraps; where there are none, the record
// itself comes back. Who was given the record before has what he has: it is for
// one that nobody has seen yet. A record without entries has nothing to keep from anybody. Its error wraps ErrNobody where a
// compartment that is needed, which its events have sections of, would be left without a wrap.
func Narrow(key event.SigningKey, r Record, keep func(Granted) bool, needed func(eventv1.Compartment) bool) (next Record, dropped []Granted, err error) {
	if !slices.ContainsFunc(r.Granted(), func(g Granted) bool { return !keep(g) }) || len(r.Events()) == 0 {
		return r, nil, nil
	}
	content := proto.CloneOf(r.content)
	for _, keys := range content.GetCompartments() {
		keys.Wraps = slices.DeleteFunc(keys.GetWraps(), func(w *keyv1.Wrap) bool {
			granted := Granted{w.GetCountry(), keys.GetCompartment(), w.GetEpoch()}
			if keep(granted) {
				return false
			}
			dropped = append(dropped, granted)
			return true
		})
		if len(keys.GetWraps()) == 0 && needed(keys.GetCompartment()) {
			return Record{}, nil, fmt.Errorf("narrowing the key record of batch %s, compartment %d: %w", r.Batch, keys.GetCompartment(), ErrNobody)
		}
	}
	if !slices.ContainsFunc(content.GetCompartments(), func(keys *keyv1.CompartmentKeys) bool { return len(keys.GetWraps()) > 0 }) {
		return Record{}, nil, fmt.Errorf("narrowing the key record of batch %s: %w", r.Batch, ErrNobody)
	}
	content.Compartments = slices.DeleteFunc(content.GetCompartments(), func(keys *keyv1.CompartmentKeys) bool { return len(keys.GetWraps()) == 0 })
	content.Revision++
	if next, err = sign(key, content); err != nil {
		return Record{}, nil, fmt.Errorf("narrowing the key record of batch %s: %w", r.Batch, err)
	}
	return next, dropped, nil
}
