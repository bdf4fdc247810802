package event_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/event"
)

// RFC 9562, appendix A.6, is an example of version 7.
const example = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"

func TestNextIDIsTheExampleOfTheRFC(t *testing.T) {
	at := time.UnixMilli(1645557742000)
	random := [10]byte{0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f}
	if got := event.NextID(at, random, event.ID{}).String(); got != example {
		t.Errorf("NextID = %s, want %s", got, example)
	}
}

func TestParseID(t *testing.T) {
	id, err := event.ParseID(example)
	if err != nil || id.String() != example {
		t.Fatalf("ParseID = %s, %v", id, err)
	}
	for _, text := range []string{
		"", example[:35], example + "0", strings.ToUpper(example), strings.ReplaceAll(example, "-", ""),
		strings.Replace(example, "-", "_", 1), "{" + example[:34] + "}", "g" + example[1:],
		strings.Replace(example, "-7cc3", "-4cc3", 1), // version
		strings.Replace(example, "-98c4", "-c8c4", 1), // variant
		strings.Repeat("é", 18),                       // 36 bytes
	} {
		if id, err := event.ParseID(text); err == nil {
			t.Errorf("ParseID(%q) = %s", text, id)
		}
	}
}

// E12: whatever the clock does, identifiers along a chain increase.
func TestAdversary_E12_ClockStoppedSetBackOrWrong(t *testing.T) {
	now := time.UnixMilli(1645557742000)
	clocks := []struct {
		name string
		at   time.Time
	}{
		{"runs", now}, {"stands still", now}, {"runs on", now.Add(time.Millisecond)}, {"is set back a year", now.AddDate(-1, 0, 0)},
		{"is at 1970", time.UnixMilli(0)}, {"is before 1970", time.UnixMilli(-1)}, {"is unset", time.Time{}},
		{"comes back", now.Add(time.Second)}, {"jumps ahead", now.AddDate(100, 0, 0)}, {"comes back again", now.Add(time.Minute)},
	}
	randoms := [][10]byte{{}, {9: 1}, [10]byte(bytes.Repeat([]byte{0xff}, 10))}
	var last event.ID
	for _, clock := range clocks {
		for range 3 {
			for _, random := range randoms {
				next := event.NextID(clock.at, random, last)
				if !last.Less(next) {
					t.Fatalf("clock %s: %s does not follow %s", clock.name, next, last)
				}
				if _, err := event.ParseID(next.String()); err != nil {
					t.Fatalf("clock %s: %v", clock.name, err)
				}
				last = next
			}
		}
	}
}

// A first event under a clock before 1970 must not carry a time in the far future.
func TestNextIDBefore1970(t *testing.T) {
	for _, at := range []time.Time{time.UnixMilli(-1), {}} {
		if id := event.NextID(at, [10]byte{}, event.ID{}); !id.Less(event.NextID(time.UnixMilli(1), [10]byte{}, event.ID{})) {
			t.Errorf("at %s the id is %s", at, id)
		}
	}
}

// One is added to the free bits alone, and a full identifier carries into the time.
func TestNextIDCarries(t *testing.T) {
	tests := []struct{ last, want string }{
		{"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c073990"},
		{"017f22e2-79b0-7cc3-98ff-ffffffffffff", "017f22e2-79b0-7cc3-9900-000000000000"},
		{"017f22e2-79b0-7cc3-bfff-ffffffffffff", "017f22e2-79b0-7cc4-8000-000000000000"},
		{"017f22e2-79b0-7fff-bfff-ffffffffffff", "017f22e2-79b1-7000-8000-000000000000"},
	}
	for _, test := range tests {
		last, err := event.ParseID(test.last)
		if err != nil {
			t.Fatal(err)
		}
		if got := event.NextID(time.UnixMilli(0), [10]byte{}, last).String(); got != test.want {
			t.Errorf("after %s comes %s, want %s", test.last, got, test.want)
		}
	}
}

// An address is an audience's identifier, and perhaps where its circle began: in
// one spelling, since it names a chain.
func TestCheckAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"region": true, "region_1": true, "region_30": true, "0-x_999999999999999": true, strings.Repeat("a", 32) + "_7": true,
		"": false, "_": false, "_30": false, "region_": false, "region_0": false, "region_030": false, "region_-1": false, "region_+1": false,
		"region_1e3": false, "region_0x1": false, "region_1_2": false, "region__1": false, "region_1000000000000000": false, "Region_1": false,
		"region.1": false, "region_*": false, "region_1 ": false, "region_1\n": false, "region_١": false, strings.Repeat("a", 33) + "_7": false,
	} {
		if err := event.CheckAddress(address); (err == nil) != want {
			t.Errorf("CheckAddress(%q) = %v", address, err)
		}
	}
}
