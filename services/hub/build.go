package hub

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/pkg/translog"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// parcel bounds what is published in one commit, in messages and bytes.
const (
	parcelMessages = 500
	parcelBytes    = 4 << 20
)

// hole is where the filler of a lost message lies until it is deleted. It is on a
// subject of the registry, of which nothing is ever sent that was not signed.
const hole = "reg.hole.filler"

// builder fills empty streams with a log, so that every message lies at the
// sequence after its index.
type builder struct {
	js    jetstream.JetStream
	conn  *stream.Conn
	next  map[string]uint64 // sequence of the next message, by stream
	holes []uint64          // sequences

	name    string // stream of what waits
	waiting []stream.Message
	bytes   int
}

// build fills the streams of a new server, and leaves them with the settings that
// they must have.
func (h *Hub) build(ctx context.Context, log *salvage.Log, restored []byte) error {
	conn, err := stream.Dial(stream.Config{Credentials: h.Credentials(hubUser), User: hubUser, Server: h.server})
	if err != nil {
		return err
	}
	defer conn.Close()
	b := &builder{js: h.js, conn: conn, next: map[string]uint64{stream.Events: 1, stream.Log: 1}}
	for _, config := range stream.Settings() {
		config.DenyDelete, config.AllowAtomicPublish = false, true
		if _, err := b.js.CreateStream(ctx, config); err != nil {
			return fmt.Errorf("making stream %s: %w", config.Name, err)
		}
	}
	if err := b.events(ctx, log, restored); err != nil {
		return fmt.Errorf("filling stream %s: %w", stream.Events, err)
	}
	if err := b.log(ctx, log); err != nil {
		return fmt.Errorf("filling stream %s: %w", stream.Log, err)
	}
	for _, config := range stream.Settings() {
		if _, err := b.js.UpdateStream(ctx, config); err != nil {
			return fmt.Errorf("closing stream %s: %w", config.Name, err)
		}
	}
	return nil
}

// events puts every message at its place, then what says that the stream was
// restored, then what was never signed.
func (b *builder) events(ctx context.Context, log *salvage.Log, restored []byte) error {
	err := log.Each(ctx, func(index uint64, m *holding.Message) error {
		if m == nil {
			b.holes = append(b.holes, index+1)
			return b.add(ctx, stream.Events, hole, nil)
		}
		return b.add(ctx, stream.Events, m.Subject, m.Data)
	})
	if err != nil {
		return err
	}
	if err := b.add(ctx, stream.Events, translog.RestoredSubject, restored); err != nil {
		return err
	}
	for _, m := range log.Carried() {
		if err := b.add(ctx, stream.Events, m.Subject, m.Data); err != nil {
			return err
		}
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	events, err := b.js.Stream(ctx, stream.Events)
	if err != nil {
		return err
	}
	for _, sequence := range b.holes {
		if err := events.DeleteMsg(ctx, sequence); err != nil {
			return fmt.Errorf("taking the filler at %d away: %w", sequence, err)
		}
	}
	return nil
}

func (b *builder) log(ctx context.Context, log *salvage.Log) error {
	err := log.Messages(func(leaves *logv1.Leaves) error {
		data, err := proto.Marshal(leaves)
		if err != nil {
			return err
		}
		return b.add(ctx, stream.Log, stream.LeavesSubject, data)
	})
	if err != nil {
		return err
	}
	for _, c := range log.Cosignatures() {
		if err := b.add(ctx, stream.Log, stream.CosignPrefix+c.Country, c.Note); err != nil {
			return err
		}
	}
	return b.flush(ctx)
}

// add publishes a message after those before it, some at a time.
func (b *builder) add(ctx context.Context, name, subject string, data []byte) error {
	if len(b.waiting) > 0 && (len(b.waiting) == parcelMessages || b.bytes+len(data) > parcelBytes || b.name != name) {
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.name = name
	b.waiting = append(b.waiting, stream.Message{Subject: subject, Data: data})
	b.bytes += len(data)
	return nil
}

// flush publishes what waits, and sees that it lies where it must.
func (b *builder) flush(ctx context.Context) error {
	if len(b.waiting) == 0 {
		return nil
	}
	last, err := b.conn.PublishBatch(ctx, b.waiting)
	want := b.next[b.name] + uint64(len(b.waiting)) - 1
	if err == nil && last != want {
		err = fmt.Errorf("the server put message %d at %d", want, last)
	}
	if err != nil {
		return fmt.Errorf("messages %d to %d: %w", b.next[b.name], want, err)
	}
	b.next[b.name] = last + 1
	b.waiting, b.bytes = b.waiting[:0], 0
	return nil
}

// ttl is the header with which a chunk of an attachment says how long it is kept, from when
// it was stored (NATS ADR-43).
const ttl = "Nats-TTL"

// carry copies what is left of a stream whose messages are replaced and expire from one
// server to another: stream.Keys or stream.Files. A message is kept no longer than it
// said, counted from when it was stored first.
func carry(ctx context.Context, name string, from, to jetstream.JetStream) (messages uint64, err error) {
	r, err := openReel(ctx, from, name)
	if err != nil {
		return 0, err
	}
	defer r.close()
	for {
		m, ok, err := r.next(ctx)
		if !ok {
			return messages, err
		}
		record := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{}}
		if at, err := stream.ParseUntil(m.header.Get(stream.Until)); err == nil {
			if !time.Now().Before(at) {
				continue
			}
			record.Header.Set(stream.Until, m.header.Get(stream.Until))
		}
		keep, err := remaining(m.header.Get(ttl), time.Since(m.since))
		if err != nil {
			return messages, err
		}
		if keep == gone {
			continue
		}
		if keep != "" {
			record.Header.Set(ttl, keep)
		}
		if _, err := to.PublishMsg(ctx, record); err != nil {
			return messages, err
		}
		messages++
	}
}

const gone = "0s"

// remaining is what is left of a chunk's time: empty where it had none.
func remaining(ttl string, age time.Duration) (string, error) {
	if slices.Contains([]string{"", "never"}, ttl) {
		return ttl, nil
	}
	kept, err := lifeOf(ttl)
	if err != nil {
		return "", err
	}
	if kept -= age; kept <= 0 {
		return gone, nil
	}
	return (kept.Truncate(time.Second) + time.Second).String(), nil
}

// lifeOf reads a value of ttl that is neither empty nor never.
func lifeOf(ttl string) (time.Duration, error) {
	if seconds, err := strconv.ParseUint(ttl, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second, nil
	}
	life, err := time.ParseDuration(ttl)
	if err != nil {
		return 0, errors.New("a message has a time to live that cannot be read")
	}
	return life, nil
}
