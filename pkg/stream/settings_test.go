package stream_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// settingsOf is what Settings says of one stream.
func settingsOf(name string) jetstream.StreamConfig {
	all := stream.Settings()
	return all[slices.IndexFunc(all, func(c jetstream.StreamConfig) bool { return c.Name == name })]
}

type config = jetstream.StreamConfig

// weakenings are all that a server lets its administrator set.
var weakenings = []struct {
	stream string
	weaken func(*config)
	want   []string // settings that are named
}{
	{stream.Events, func(*config) {}, nil},
	{stream.Log, func(*config) {}, nil},
	{stream.Keys, func(*config) {}, nil},
	{stream.Files, func(*config) {}, nil},
	{stream.Events, func(c *config) { c.MaxMsgs = 1000 }, []string{"max_msgs"}},
	{stream.Events, func(c *config) { c.MaxBytes = 1 << 30 }, []string{"max_bytes"}},
	{stream.Events, func(c *config) { c.MaxAge = 365 * 24 * time.Hour }, []string{"max_age"}},
	{stream.Events, func(c *config) { c.MaxMsgsPerSubject = 1 }, []string{"max_msgs_per_subject"}},
	{stream.Events, func(c *config) { c.MaxMsgSize = 1 << 10 }, []string{"max_msg_size"}},
	{stream.Events, func(c *config) { c.MaxConsumers = 3 }, []string{"max_consumers"}},
	{stream.Events, func(c *config) { c.DenyDelete = false }, []string{"deny_delete"}},
	{stream.Events, func(c *config) { c.DenyPurge = false }, []string{"deny_purge"}},
	{stream.Events, func(c *config) { c.DenyPurge, c.AllowRollup = false, true }, []string{"allow_rollup_hdrs", "deny_purge"}},
	{stream.Events, func(c *config) { c.Retention = jetstream.InterestPolicy }, []string{"retention"}},
	{stream.Events, func(c *config) { c.Retention = jetstream.WorkQueuePolicy }, []string{"retention"}},
	{stream.Events, func(c *config) { c.Discard = jetstream.DiscardNew }, []string{"discard"}},
	{stream.Events, func(c *config) {
		c.Discard, c.MaxMsgsPerSubject, c.DiscardNewPerSubject = jetstream.DiscardNew, 5, true
	}, []string{"discard", "discard_new_per_subject", "max_msgs_per_subject"}},
	{stream.Events, func(c *config) { c.Storage = jetstream.MemoryStorage }, []string{"storage"}},
	{stream.Events, func(c *config) { c.PersistMode, c.AllowAtomicPublish = jetstream.AsyncPersistMode, false }, []string{"allow_atomic", "persist_mode"}},
	{stream.Events, func(c *config) { c.NoAck, c.AllowAtomicPublish = true, false }, []string{"allow_atomic", "no_ack"}},
	{stream.Events, func(c *config) { c.Subjects = []string{"evt.>"} }, []string{"subjects"}},
	{stream.Events, func(c *config) { c.Subjects = append(c.Subjects, "more.>") }, []string{"subjects"}},
	{stream.Events, func(c *config) { c.RePublish = &jetstream.RePublish{Source: ">", Destination: "tap.>"} }, []string{"republish"}},
	{stream.Events, func(c *config) {
		c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: "evt.>", Destination: "evt.other.>"}
	}, []string{"subject_transform"}},
	{stream.Events, func(c *config) { c.Sources = []*jetstream.StreamSource{{Name: "ELSEWHERE"}} }, []string{"sources"}},
	{stream.Events, func(c *config) {
		c.Mirror, c.Subjects, c.AllowAtomicPublish = &jetstream.StreamSource{Name: "ELSEWHERE"}, nil, false
	}, []string{"allow_atomic", "mirror", "subjects"}},
	{stream.Events, func(c *config) { c.AllowDirect = true }, []string{"allow_direct"}},
	{stream.Events, func(c *config) { c.AllowMsgTTL = true }, []string{"allow_msg_ttl"}},
	{stream.Events, func(c *config) { c.AllowMsgTTL, c.SubjectDeleteMarkerTTL = true, time.Hour }, []string{"allow_msg_ttl", "allow_rollup_hdrs", "deny_purge", "subject_delete_marker_ttl"}},
	{stream.Events, func(c *config) { c.AllowMsgSchedules = true }, []string{"allow_msg_schedules", "allow_rollup_hdrs", "deny_purge"}},
	{stream.Events, func(c *config) { c.AllowBatchPublish = true }, []string{"allow_batched"}},
	{stream.Events, func(c *config) { c.AllowAtomicPublish = false }, []string{"allow_atomic"}},
	{stream.Events, func(c *config) { c.FirstSeq = 100 }, []string{"first_seq"}},
	{stream.Events, func(c *config) { c.ConsumerLimits.InactiveThreshold = time.Hour }, []string{"consumer_limits"}},
	{stream.Events, func(c *config) { c.ConsumerLimits.MaxAckPending = 1 }, []string{"consumer_limits"}},
	{stream.Log, func(c *config) { c.AllowMsgCounter = true }, []string{"allow_msg_counter"}},
	{stream.Log, func(c *config) { c.DenyDelete = false }, []string{"deny_delete"}},
	{stream.Log, func(c *config) { c.MaxMsgsPerSubject = 1 }, []string{"max_msgs_per_subject"}},
	{stream.Log, func(c *config) { c.AllowAtomicPublish = true }, []string{"allow_atomic"}},
	{stream.Keys, func(c *config) { c.MaxMsgsPerSubject = 5 }, []string{"max_msgs_per_subject"}},
	{stream.Keys, func(c *config) { c.DenyDelete = true }, []string{"deny_delete"}},
	{stream.Keys, func(c *config) { c.AllowMsgTTL = true }, []string{"allow_msg_ttl"}},
	{stream.Keys, func(c *config) { c.Storage = jetstream.MemoryStorage }, []string{"storage"}},
	{stream.Files, func(c *config) { c.AllowDirect = false }, []string{"allow_direct"}},
	{stream.Files, func(c *config) { c.MaxMsgsPerSubject = -1 }, []string{"max_msgs_per_subject"}},
	{stream.Files, func(c *config) { c.MaxMsgSize = 1 << 20 }, []string{"max_msg_size"}},
	{stream.Files, func(c *config) { c.MaxAge = time.Hour }, []string{"max_age"}},
	{stream.Files, func(c *config) { c.AllowRollup = true }, []string{"allow_rollup_hdrs"}},
	{stream.Files, func(c *config) { c.AllowMsgTTL = false }, []string{"allow_msg_ttl"}},
	// What loses nothing is nobody's business here.
	{stream.Events, func(c *config) {
		c.Description, c.Metadata, c.Duplicates = "ours", map[string]string{"a": "b"}, time.Minute
	}, nil},
}

// create makes a stream. A server that has just deleted one of that name may still be
// at its files.
func create(t *testing.T, js jetstream.JetStream, c config) {
	t.Helper()
	const storeFailed = 10049
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-ticker.C {
		_, err := js.CreateStream(t.Context(), c)
		busy := (*jetstream.APIError)(nil)
		if !errors.As(err, &busy) || busy.ErrorCode != storeFailed || time.Now().After(deadline) {
			must(t, err)
			return
		}
	}
}

// S04: whatever a server lets its administrator set is seen, by the name that the
// server has for it. Each row is made on a real server and asked back from it.
func TestAdversary_S04_WeakSettingsAreNamed(t *testing.T) {
	conn, nc := serve(t)
	js, err := jetstream.New(nc)
	must(t, err)
	for _, c := range weakenings {
		must(t, js.DeleteStream(t.Context(), stream.Events))
		made := settingsOf(c.stream)
		c.weaken(&made)
		create(t, js, made)
		standing, err := conn.Standing(t.Context(), c.stream, 1)
		must(t, err)
		var named []string
		for _, w := range standing.Weak {
			named = append(named, w.Setting)
			if text := w.String(); w.Stream != c.stream || w.Is == w.Must || strings.Contains(text, "nobody here knows") || !strings.Contains(text, w.Setting) {
				t.Errorf("%+v reads %q", w, text)
			}
		}
		if diff := cmp.Diff(c.want, named); diff != "" {
			t.Errorf("%s (-want +named):\n%s", c.stream, diff)
		}
		if c.stream != stream.Events {
			must(t, js.DeleteStream(t.Context(), c.stream))
			create(t, js, settingsOf(stream.Events))
		}
	}
}

func TestWeaknesses(t *testing.T) {
	for _, c := range []struct {
		name, config string
		replicas     int
		want         string // part of the error, or all weaknesses as settings
	}{
		{stream.Keys, `{}`, 1, "allow_atomic discard max_bytes max_consumers max_msg_size max_msgs max_msgs_per_subject retention storage subjects"},
		{"OTHER", `{}`, 1, "error: no such stream"},
		{stream.Events, `null`, 1, "error: no settings"},
		{stream.Events, ``, 1, "error: unreadable"},
		{stream.Events, `[1]`, 1, "error: unreadable"},
	} {
		weak, err := stream.Weaknesses(c.name, []byte(c.config), c.replicas)
		var got []string
		for _, w := range weak {
			got = append(got, w.Setting)
		}
		said, wanted := strings.CutPrefix(c.want, "error: ")
		switch {
		case wanted && (err == nil || !strings.Contains(err.Error(), said)):
			t.Errorf("%s %s: %v, want %q", c.name, c.config, err, said)
		case !wanted && (err != nil || strings.Join(got, " ") != c.want):
			t.Errorf("%s %s: %q, %v, want %q", c.name, c.config, got, err, c.want)
		}
	}
}

// A cluster that keeps fewer copies than it was set up for, and a setting of a
// server that is newer than this program.
func TestReplicasAndUnknownSettings(t *testing.T) {
	conn, _ := serve(t)
	standing, err := conn.Standing(t.Context(), stream.Events, 3)
	must(t, err)
	at := slices.IndexFunc(standing.Weak, func(w stream.Weakness) bool { return w.Setting == "num_replicas" })
	if at < 0 || standing.Weak[at].Is != "1" || standing.Weak[at].Must != "3 or more" {
		t.Errorf("weaknesses are %v, want that one server keeps it", standing.Weak)
	}
	weak, err := stream.Weaknesses(stream.Events, []byte(`{"allow_forgetting":true,"allow_other":false}`), 1)
	must(t, err)
	if !slices.ContainsFunc(weak, func(w stream.Weakness) bool { return w.Setting == "allow_forgetting" && w.Must == "unset" }) ||
		slices.ContainsFunc(weak, func(w stream.Weakness) bool { return w.Setting == "allow_other" }) {
		t.Errorf("weaknesses are %v", weak)
	}
	gone, err := conn.Standing(t.Context(), stream.Keys, 1)
	must(t, err)
	if !gone.Missing {
		t.Errorf("a stream that is not there: %+v", gone)
	}
}

func TestStandingSaysWhereAStreamEnds(t *testing.T) {
	conn, _ := serve(t)
	publish(t, conn, 5)
	standing, err := conn.Standing(t.Context(), stream.Events, 1)
	must(t, err)
	if standing.First != 1 || standing.Last != 5 || standing.Messages != 5 || standing.Missing {
		t.Errorf("five messages: %+v", standing)
	}
}
