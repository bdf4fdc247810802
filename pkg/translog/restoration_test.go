package translog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

func TestRestorationThereAndBack(t *testing.T) {
	for _, want := range []Restoration{
		{At: time.Unix(0, 0).UTC()},
		{Recovered: 7, At: time.Unix(1739000000, 0).UTC(), Lost: []Range{{0, 1}, {3, 9}, {MaxSize - 1, MaxSize}}},
	} {
		data, err := want.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseRestoration(MaxSize, data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRestorationRefuses(t *testing.T) {
	now := timestamppb.New(time.Unix(1739000000, 0))
	for name, m := range map[string]*logv1.Restored{
		"no time":          {},
		"wrong time":       {Time: &timestamppb.Timestamp{Nanos: -1}},
		"part of a second": {Time: &timestamppb.Timestamp{Seconds: 1, Nanos: 1}},
		"empty":            {Time: now, Lost: []*logv1.Range{{From: 3, To: 3}}},
		"backwards":        {Time: now, Lost: []*logv1.Range{{From: 3, To: 2}}},
		"too high":         {Time: now, Lost: []*logv1.Range{{From: 3, To: MaxSize + 1}}},
		"falling":          {Time: now, Lost: []*logv1.Range{{From: 3, To: 4}, {From: 1, To: 2}}},
		"touching":         {Time: now, Lost: []*logv1.Range{{From: 3, To: 4}, {From: 4, To: 5}}},
		"overlapping":      {Time: now, Lost: []*logv1.Range{{From: 3, To: 6}, {From: 5, To: 8}}},
	} {
		data, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := ParseRestoration(MaxSize, data); !sameKind(err, &Malformed{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	good, err := Restoration{At: time.Unix(1, 0)}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"cut": good[:len(good)-1], "more": append(good, 0), "unknown field": append(good, 0x78, 1), "time twice": append(good, good...),
	} {
		if r, err := ParseRestoration(MaxSize, data); !sameKind(err, &Malformed{}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// A loss is said afterwards: not at its own place, nor before it.
func TestRestorationOfWhatIsYetToCome(t *testing.T) {
	data, err := Restoration{At: time.Unix(1, 0), Lost: []Range{{0, 1}, {3, 9}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for index, ok := range map[uint64]bool{0: false, 1: false, 3: false, 8: false, 9: true, 10: true} {
		if r, err := ParseRestoration(index, data); (err == nil) != ok || err != nil && !sameKind(err, &Malformed{}) {
			t.Errorf("at index %d: %+v, %v", index, r, err)
		}
	}
}

func FuzzParseRestoration(f *testing.F) {
	data, err := Restoration{Recovered: 7, At: time.Unix(1739000000, 0), Lost: []Range{{0, 1}, {3, 9}}}.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ParseRestoration(MaxSize, data)
		if err != nil {
			return
		}
		again, err := r.Marshal()
		if err != nil || string(again) != string(data) {
			t.Errorf("%x is read as %+v, which is %x (%v)", data, r, again, err)
		}
	})
}
