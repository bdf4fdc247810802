package publisher

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
)

// gone is a hub that is away.
type gone struct{}

func (gone) Away() error        { return errAway }
func (gone) Reconnects() uint64 { return 0 }
func (gone) Close()             {}
func (gone) PublishBatch(context.Context, []stream.Message) (uint64, error) {
	return 0, errAway
}
func (gone) PutRecord(context.Context, string, []byte, uint64, time.Duration) (uint64, error) {
	return 0, errAway
}
func (gone) Reader(context.Context, string) (logReader, error) { return nil, errAway }

// FuzzLearn takes any bytes as a message of the notary and as one of the registry:
// the registry changes by an update that its leaf shows, and by nothing else.
func FuzzLearn(f *testing.F) {
	log := registrytest.NewLog(f)
	subject, message := log.Message(f, registrytest.Join("pair", "XC"), roots...)
	founding := translog.LeafHash(0, registry.FoundingSubject, log.Charter.Message)
	joined := translog.LeafHash(1, subject, message)
	for _, leaves := range []*logv1.Leaves{
		{},
		{Hashes: founding[:], Labels: []uint32{0}, Audiences: []string{""}},
		{Hashes: append(founding[:], joined[:]...), Labels: []uint32{0, 0}, Audiences: []string{""}},
		{Hashes: append(founding[:], joined[:]...), Labels: []uint32{0, 1}, Audiences: []string{"", "pair"}},
		{Hashes: joined[:], Labels: []uint32{7}},
		{Start: 1 << 63, Hashes: joined[:], Labels: []uint32{0}, Audiences: []string{""}},
	} {
		data, err := proto.Marshal(leaves)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, subject, message)
		f.Add(data, "evt.pair.XA.police.site.reported", []byte("x"))
	}
	p := &Publisher{config: Config{Charter: log.Charter}, hub: gone{}, patience: defaultPatience}
	state, err := log.Charter.State()
	if err != nil {
		f.Fatal(err)
	}
	policies, err := state.Policies()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, subject string, message []byte) {
		leaves := &logv1.Leaves{}
		if proto.Unmarshal(data, leaves) != nil {
			return
		}
		follower, err := translog.NewFollower(policies)
		if err != nil {
			t.Fatal(err)
		}
		u := &pursuit{follower: follower, known: history{{from: 1, state: state}},
			held: map[uint64]stream.Message{2: {Subject: subject, Sequence: 2, Data: message}}}
		known, updates, err := p.learn(t.Context(), u, leaves)
		other := (*contrary)(nil)
		switch {
		case errors.As(err, &other), errors.Is(err, errAway):
		case err != nil:
			t.Errorf("error is %v", err)
		case len(known) != 1+len(updates) || len(u.known) != 1:
			t.Errorf("%d updates made %d chapters of %d", len(updates), len(known), len(u.known))
		case len(updates) > 0 && (string(updates[0].Data) != string(message) || !registry.IsSubject(subject)):
			t.Errorf("an update came from nowhere: %v", updates)
		}
	})
}
