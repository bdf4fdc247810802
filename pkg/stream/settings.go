package stream

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/attachment"
	"github.com/tripoint/tripoint/pkg/event"
)

// maxHeaders is room for the headers of a batch, beside the largest event, in bytes.
const maxHeaders = 4 << 10

// Settings say how the streams must be kept. In Events and Log nothing is deleted,
// purged or limited but the size of one message, nothing is changed on the way in,
// and nothing is copied elsewhere. In Keys and Files messages are replaced and expire:
// what is let go there is gone. Files is read by subject, one chunk at a time. Keys knows
// no time to live of the server's: a record says by Until how long it is kept.
func Settings() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{{
		Name: Events, Subjects: append(Common(), "evt.>"), Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, DenyDelete: true, DenyPurge: true, AllowAtomicPublish: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: event.MaxMessage + maxHeaders, MaxConsumers: -1,
	}, {
		Name: Log, Subjects: []string{"log.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, DenyDelete: true, DenyPurge: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}, {
		// The hub deletes what was replaced, and what has expired: the server, by a limit or a time
		// to live, would leave its bytes in the file, and when it opens its files it asks nobody.
		Name: Keys, Subjects: []string{"key.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, MaxMsgsPerSubject: -1, AllowAtomicPublish: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}, {
		Name: Files, Subjects: []string{"file.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, MaxMsgsPerSubject: 1, AllowMsgTTL: true, AllowDirect: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgSize: attachment.ChunkSize + maxHeaders, MaxConsumers: -1,
	}}
}

// Weakness is one setting of a stream that is not as it must be.
type Weakness struct {
	Stream  string
	Setting string // by the name that it has in the server's API (NATS ADR-8 and later)
	Is      string // its value as JSON; "unset" where it has none
	Must    string // likewise
	Why     string // what it lets happen
}

// String says the weakness in plain words.
func (w Weakness) String() string {
	return fmt.Sprintf("%s of stream %s is %s and must be %s: %s", w.Setting, w.Stream, w.Is, w.Must, w.Why)
}

// harm is what each setting lets happen where it is not as it must be.
var harm = map[string]string{
	"subjects":                  "what is published elsewhere is not stored, or what is not the log's is",
	"retention":                 "messages go once somebody has read them, or nobody reads",
	"storage":                   "a restart loses everything",
	"persist_mode":              "what was acknowledged is not on disk yet",
	"max_msgs":                  "old messages go when there are too many",
	"max_bytes":                 "old messages go when there are too many bytes",
	"max_age":                   "messages go when they are old",
	"max_msgs_per_subject":      "all but the newest messages of a subject go",
	"max_msg_size":              "messages are refused that members may send, or admitted that nobody takes",
	"max_consumers":             "a member may find no way to read",
	"discard":                   "what goes at a limit is something else",
	"discard_new_per_subject":   "messages are refused for their subject",
	"deny_delete":               "the administrator can delete messages",
	"deny_purge":                "the administrator can empty the stream",
	"allow_rollup_hdrs":         "a publisher's message can replace all before it",
	"allow_msg_ttl":             "a publisher's message can go by itself",
	"subject_delete_marker_ttl": "the server puts messages of its own into the stream",
	"allow_msg_counter":         "the server changes what is published",
	"allow_msg_schedules":       "the server publishes by itself, in a member's name",
	"allow_atomic":              "a batch is stored in part",
	"allow_batched":             "messages are taken in otherwise than a batch at once",
	"no_ack":                    "nobody learns whether a message was stored",
	"sealed":                    "nothing can be published any more",
	"mirror":                    "the stream is a copy of another, and refuses what is published",
	"sources":                   "messages of other streams come in, past all permissions",
	"subject_transform":         "messages are stored under another subject than they were published on",
	"republish":                 "what is stored is sent out to whoever listens",
	"allow_direct":              "messages can be read past the consumers that the hub made",
	"FILES.allow_direct":        "nobody can fetch an attachment",
	"KEYS.allow_msg_ttl":        "the server lets a record go by itself, and its bytes stay on the disk",
	"mirror_direct":             "messages can be read past the consumers that the hub made",
	"first_seq":                 "the stream does not begin at its first message",
	"consumer_limits":           "a reader's consumer can end, or stall, by itself",
	"template_owner":            "somebody else's template decides on the stream",
	"num_replicas":              "one disk less can lose the stream",
}

// indifferent are settings that lose and show nothing, whatever they are: notes, where
// the stream lies, and a window for identifiers of messages, which nobody here sets.
var indifferent = []string{"name", "description", "metadata", "placement", "compression", "duplicate_window", "num_replicas"}

// Weaknesses compares a stream's configuration, as the server's API has it in JSON,
// with Settings. A setting that this version does not know counts where it is set.
// replicas is how many servers must keep the stream, at least.
func Weaknesses(name string, config []byte, replicas int) ([]Weakness, error) {
	at := slices.IndexFunc(Settings(), func(c jetstream.StreamConfig) bool { return c.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("comparing the settings of %s: no such stream of the log", name)
	}
	encoded, err := json.Marshal(Settings()[at])
	if err != nil {
		return nil, fmt.Errorf("comparing the settings of %s: %w", name, err)
	}
	must, err := fields(encoded)
	if err != nil {
		return nil, fmt.Errorf("comparing the settings of %s: %w", name, err)
	}
	is, err := fields(config)
	if err != nil {
		return nil, fmt.Errorf("comparing the settings of %s: the hub's word is unreadable: %w", name, err)
	}
	var weak []Weakness
	add := func(setting, is, must string) {
		weak = append(weak, Weakness{Stream: name, Setting: setting, Is: is, Must: must,
			Why: cmp.Or(harm[name+"."+setting], harm[setting], "nobody here knows what it does")})
	}
	settings := maps.Clone(is)
	maps.Copy(settings, must)
	for _, setting := range slices.Sorted(maps.Keys(settings)) {
		if !slices.Contains(indifferent, setting) && is[setting] != must[setting] {
			add(setting, cmp.Or(is[setting], "unset"), cmp.Or(must[setting], "unset"))
		}
	}
	if kept := count(is["num_replicas"]); kept < max(replicas, 1) {
		add("num_replicas", fmt.Sprint(kept), fmt.Sprintf("%d or more", replicas))
	}
	return weak, nil
}

// fields are the settings that are set, in one spelling each.
func fields(config []byte) (map[string]string, error) {
	decoder := json.NewDecoder(bytes.NewReader(config))
	decoder.UseNumber()
	var all map[string]any
	if err := decoder.Decode(&all); err != nil {
		return nil, err
	}
	if all == nil {
		return nil, errors.New("no settings")
	}
	set := map[string]string{}
	for name, value := range all {
		if isUnset(value) {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		set[name] = strings.Trim(string(text), `"`)
	}
	return set, nil
}

// isUnset reports whether a value means the same as none: the server leaves out some
// that the client spells, and the other way round.
func isUnset(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "default"
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, inner := range v {
			if !isUnset(inner) {
				return false
			}
		}
		return true
	}
	return false
}

func count(text string) (n int) {
	if _, err := fmt.Sscan(text, &n); err != nil {
		return 1 // unset
	}
	return n
}
