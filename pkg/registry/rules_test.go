package registry_test

import (
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// What every root has signed can still be a charter that must not be founded.
func TestFoundingsRefused(t *testing.T) {
	type founding = registryv1.Founding
	tests := []struct {
		name   string
		change func(f *founding)
		want   string
	}{
		{"no members", func(f *founding) { f.Members = nil }, "members"},
		{"threshold 0", func(f *founding) { f.Threshold = 0 }, "threshold"},
		{"threshold above the members", func(f *founding) { f.Threshold = 4 }, "threshold"},
		{"threshold 2^32-1", func(f *founding) { f.Threshold = 1<<32 - 1 }, "threshold"},
		{"quorum 0", func(f *founding) { f.Quorum = 0 }, "quorum"},
		{"quorum above the members", func(f *founding) { f.Quorum = 4 }, "quorum"},
		{"no origin", func(f *founding) { f.Origin = "" }, "origin"},
		{"origin with a line end", func(f *founding) { f.Origin = "a\nb" }, "origin"},
		{"notary without a key", func(f *founding) { f.NotaryKey = nil }, "the notary"},
		{"root key of 31 bytes", func(f *founding) { f.Members[0].RootKey = f.Members[0].RootKey[1:] }, "XA's root"},
		{"mirror key of 33 bytes", func(f *founding) { f.Members[1].MirrorKey = append(f.Members[1].MirrorKey, 0) }, "XB's mirror"},
		{"country in three letters", func(f *founding) { f.Members[0].Country = "XAA" }, "country"},
		{"a member twice", func(f *founding) {
			f.Members[1] = &registryv1.Member{Country: "XA", RootKey: registrytest.Public("a"), MirrorKey: registrytest.Public("b")}
		}, "member XA stands twice"},
		{"agency of no member", func(f *founding) { f.Agencies[0].Country = "XD" }, "no member"},
		{"an agency twice", func(f *founding) { f.Agencies[1].Agency = "police" }, "stands twice"},
		{"agency of two tokens", func(f *founding) { f.Agencies[0].Agency = "po.lice" }, "agency"},
		{"agency as a wildcard", func(f *founding) { f.Agencies[0].Agency = "*" }, "agency"},
		{"agency without a key", func(f *founding) { f.Agencies[0].PublisherKey = nil }, "XA/police"},
		{"audience with a non-member", func(f *founding) { f.Audiences[0].Members[0] = "XD" }, "no member"},
		{"audience of nobody", func(f *founding) { f.Audiences[0].Members = nil }, "no members"},
		{"audience with one twice", func(f *founding) { f.Audiences[0].Members = []string{"XA", "XB", "XA"} }, "twice"},
		{"audience without a purpose", func(f *founding) { f.Audiences[0].Purposes = nil }, "purpose"},
		{"audience as a wildcard", func(f *founding) { f.Audiences[0].Audience = ">" }, "audience"},
		{"an audience twice", func(f *founding) { f.Audiences[1].Audience = "region" }, "stands twice"},
		{"a retention class twice", func(f *founding) { f.RetentionClasses = append(f.RetentionClasses, f.RetentionClasses[0]) }, "retention class"},
		{"a retention class of no days", func(f *founding) { f.RetentionClasses[0].Days = 0 }, "retention class"},
		{"a retention class of two words", func(f *founding) { f.RetentionClasses[0].Retention = "a b" }, "retention class"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := registrytest.Founding()
			test.change(f)
			refuse(t, signedBy(t, updateOf(t, f), "XA", "XB", "XC"), test.want)
		})
	}
}

// keyPlaces are where a key stands in a founding of three members and six agencies.
func keyPlaces() map[string]func(f *registryv1.Founding) *[]byte {
	return map[string]func(f *registryv1.Founding) *[]byte{
		"the notary":     func(f *registryv1.Founding) *[]byte { return &f.NotaryKey },
		"XA's root":      func(f *registryv1.Founding) *[]byte { return &f.Members[0].RootKey },
		"XA's mirror":    func(f *registryv1.Founding) *[]byte { return &f.Members[0].MirrorKey },
		"XB's root":      func(f *registryv1.Founding) *[]byte { return &f.Members[1].RootKey },
		"XB's mirror":    func(f *registryv1.Founding) *[]byte { return &f.Members[1].MirrorKey },
		"XA/police":      func(f *registryv1.Founding) *[]byte { return &f.Agencies[0].PublisherKey },
		"XA/border":      func(f *registryv1.Founding) *[]byte { return &f.Agencies[1].PublisherKey },
		"another member": func(f *registryv1.Founding) *[]byte { return &f.Agencies[2].PublisherKey },
	}
}

// One key has one owner in one role: every pair of places is tried.
func TestOneKeyTwice(t *testing.T) {
	places := keyPlaces()
	for first := range places {
		for second := range places {
			if first == second {
				continue
			}
			f := registrytest.Founding()
			*places[second](f) = *places[first](f)
			message := signedBy(t, updateOf(t, f), "XA", "XB", "XC")
			refuse(t, message, "is also that of")
			if t.Failed() {
				t.Fatalf("one key for %s and %s", first, second)
			}
		}
	}
}

// A founding of one member, without agencies, audiences or retention classes, is a founding.
func TestSmallestFounding(t *testing.T) {
	f := registrytest.Bare()
	f.Members, f.Agencies, f.Audiences, f.RetentionClasses = f.Members[:1], nil, nil, nil
	f.Threshold, f.Quorum = 1, 1
	state, err := registrytest.Sign(t, f).State()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(state.Countries(), " "); got != "XA" || state.AudiencesOf("XA") != nil || state.HasRetention("case") {
		t.Errorf("the registry of %s has more than was founded", got)
	}
}

// A state does not share memory with the message that founded it.
func TestStateKeepsItsOwn(t *testing.T) {
	charter := registrytest.Charter(t)
	state, err := charter.State()
	if err != nil {
		t.Fatal(err)
	}
	clear(charter.Message)
	policy, err := state.Policy()
	if err != nil || !policy.Notary.Equal(registrytest.Public("notary")) {
		t.Errorf("the notary's key is %x, %v", []byte(policy.Notary), err)
	}
}
