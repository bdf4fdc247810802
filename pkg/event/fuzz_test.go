package event_test

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// kinds are all that casework has: the names of its contents.
func kinds() []string {
	fields := (&caseworkv1.CaseSection{}).ProtoReflect().Descriptor().Oneofs().ByName("content").Fields()
	list := make([]string, fields.Len())
	for i := range list {
		list[i] = strings.Replace(string(fields.Get(i).Name()), "_", ".", 1)
	}
	return list
}

var subjectForm = regexp.MustCompile(`^evt\.[a-z0-9-]{1,32}(_[1-9][0-9]{0,14})?\.[A-Z]{2}\.[a-z0-9-]{1,32}\.[a-z]+\.[a-z_]+$`)

// FuzzDecode: whatever comes, Decode returns; what it accepts is within bounds,
// calls for one possible subject, and verifies only if its agency signed it.
func FuzzDecode(f *testing.F) {
	_, public := signingKey(f, "publisher XA/police")
	_, wrong := signingKey(f, "publisher XB/police")
	list := drafts(len(kinds()), event.ID{})
	for i, kind := range kinds() {
		list[i].Kind = kind
	}
	genuine := map[event.Digest]bool{}
	add := func(data []byte) {
		u, err := event.Decode(data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		genuine[u.HeaderDigest()] = true
	}
	signed, _ := sign(f, event.Head{}, list)
	for _, s := range signed {
		add(s.Data)
	}
	single, header, body := one(f)
	add(marshal(f, single))
	f.Add(marshal(f, forge(f, "publisher XB/police", marshal(f, header), marshal(f, body))))
	f.Fuzz(func(t *testing.T, data []byte) {
		u, err := event.Decode(data)
		if err != nil {
			if len(err.Error()) > 4096 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		if len(data) > event.MaxMessage {
			t.Errorf("%d bytes were decoded", len(data))
		}
		if subject := u.Claims().Subject(); !subjectForm.MatchString(subject) {
			t.Errorf("the header calls for subject %q", subject)
		}
		if again, err := event.Decode(data); err != nil || again.Claims() != u.Claims() || again.HeaderDigest() != u.HeaderDigest() {
			t.Errorf("the same bytes were read as another event (%v)", err)
		}
		roots := &event.Roots{}
		v, err := u.Verify(public, nil, roots)
		switch {
		case err == nil && !genuine[v.HeaderDigest]:
			t.Errorf("event %s verified, and nobody signed it", v.ID)
		case err == nil && len(v.Sections()) > event.MaxSections:
			t.Errorf("%d sections", len(v.Sections()))
		case err != nil && !errors.Is(err, event.ErrSignature) && !errors.Is(err, event.ErrBody):
			t.Errorf("an error of neither kind: %v", err)
		}
		if u.KeyID() != event.KeyIDOf(event.RolePublisher, wrong) {
			if _, err := u.Verify(wrong, nil, roots); !errors.Is(err, event.ErrSignature) {
				t.Errorf("verified under a key that it does not name: %v", err)
			}
		}
	})
}
