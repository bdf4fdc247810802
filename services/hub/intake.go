package hub

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/stream"
)

// toIntake begins the subjects of the hub's account on which members' key records and chunks come in. What
// follows is the subject that they are stored under.
const toIntake = "put."

// intake is the way of key records and chunks to their streams. It passes on what fits into its agency's and
// its country's share, and says otherwise why not; the stream's answer goes back as it is. Events do not come this way.
//
// A message that is on its way to the disk is not counted yet: what an agency has may exceed its share
// by as much as the broker takes in at once (128 MiB), and no more.
type intake struct {
	nc      *nats.Conn // of its own: a flood holds up nobody else's work in the hub
	shares  Shares
	tallies map[string]*tally // by stream
	said    standings
	log     *slog.Logger
}

// passed are the headers that go on to each stream. No other does: one that traces a message, passed on by the
// hub, would put the broker's answer wherever the sender likes; one that ends a message in the other stream alone would
// take it out of the count, and not off the disk; and what a batch stages lies there and is in no count.
var passed = map[string][]string{
	stream.Keys:  {stream.Until, jetstream.ExpectedLastSubjSeqHeader},
	stream.Files: {ttl, jetstream.ExpectedLastSubjSeqHeader},
}

// requestInfo is where the server itself says, of what comes from another account, who sent it. It is not stored.
const requestInfo = "Nats-Request-Info"

// answers is where the streams answer; what follows is the subject of who asked, encoded.
var answers = stream.InboxPrefix(hubUser) + ".put."

func newIntake(nc *nats.Conn, shares Shares, log *slog.Logger) (*intake, error) {
	i := &intake{nc: nc, shares: shares.withDefaults(), said: standings{refused: map[string]bool{}, told: map[string]time.Time{}}, log: log,
		tallies: map[string]*tally{stream.Keys: newTally(stream.Keys), stream.Files: newTally(stream.Files)}}
	if _, err := nc.Subscribe(toIntake+">", i.take); err != nil {
		return nil, fmt.Errorf("taking in what members store: %w", err)
	}
	if _, err := nc.Subscribe(answers+"*", i.answer); err != nil {
		return nil, fmt.Errorf("taking in what members store: %w", err)
	}
	return i, nc.Flush()
}

// run counts, and writes down what it has counted, until ctx ends.
func (i *intake) run(ctx context.Context, js jetstream.JetStream, directory string) {
	var counting sync.WaitGroup
	defer counting.Wait()
	for _, t := range i.tallies {
		counting.Go(func() {
			for ctx.Err() == nil {
				if err := t.run(ctx, js); ctx.Err() == nil {
					i.log.Warn("what members store is counted anew", "stream", t.stream, "error", err)
				}
				pause(ctx, eraseRetry)
			}
		})
	}
	var written []Standing
	for ctx.Err() == nil {
		pause(ctx, lookAtShares)
		all := i.standings()
		if slices.Equal(all, written) {
			continue
		}
		if err := writeStandings(directory, all); err != nil {
			i.log.Error("writing what members store", "error", err)
			continue
		}
		written = all
	}
}

func pause(ctx context.Context, wait time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
}

// standings are those of all holders, in a fixed order.
func (i *intake) standings() (all []Standing) {
	for name, t := range i.tallies {
		for h, used := range t.standings() {
			all = append(all, Standing{Holder: h.String(), Stream: name, Bytes: used, Share: i.shares.of(name, h), Refused: i.said.of(name, h)})
		}
	}
	slices.SortFunc(all, func(a, b Standing) int {
		return strings.Compare(a.Stream+" "+a.Holder, b.Stream+" "+b.Holder)
	})
	return all
}

// take passes a message on, or refuses it.
func (i *intake) take(m *nats.Msg) {
	subject, ok := strings.CutPrefix(m.Subject, toIntake)
	h, whose := holderOf(subject)
	if !ok || !whose {
		return // no import leads here
	}
	name := stream.Files
	if strings.HasPrefix(subject, "key.") {
		name = stream.Keys
	}
	headers := nats.Header{}
	for header := range m.Header {
		if header == requestInfo {
			continue
		}
		if !slices.Contains(passed[name], header) {
			i.refuse(m, name, jetstream.ErrorCode(stream.CodeRefused), fmt.Sprintf("a message there has the headers %s and no others, and this one has %.50q", strings.Join(passed[name], ", "), header))
			return
		}
		headers[header] = m.Header[header]
	}
	if why := i.full(name, subject, h, headers, len(m.Data)); why != "" {
		i.refuse(m, name, jetstream.ErrorCode(stream.CodeFull), why)
		return
	}
	on := &nats.Msg{Subject: subject, Header: headers, Data: m.Data}
	if m.Reply != "" {
		on.Reply = answers + base64.RawURLEncoding.EncodeToString([]byte(m.Reply))
	}
	if err := i.nc.PublishMsg(on); err != nil {
		i.log.Warn("a message of a member was not stored: it is sent again", "error", err)
	}
}

// full says why a message has no room; empty: it has. What makes a holder's part no larger always has, and an
// empty chunk, which takes the place of an erased one that may never have come, a little beyond the share.
func (i *intake) full(name, subject string, h holder, headers nats.Header, size int) (why string) {
	cost, t := costOf(subject, headers, size), i.tallies[name]
	for _, who := range []holder{h, {country: h.country}} {
		share := i.shares.of(name, who)
		limit := share
		if size == 0 {
			limit += share / 16
		}
		after, before := t.would(subject, who, cost)
		full := after > limit && cost > before
		if i.said.note(name, who, full, time.Now()) {
			i.log.Warn("the room that a member has on this hub", "holder", who.String(), "stream", name, "full", full, "bytes", after)
		}
		if full {
			return fmt.Sprintf("%s has used up its share of this hub, %s of %s: it erases what it needs no more, waits until older ones expire, or asks the hub's operator for more",
				who, mebibytes(share), contents[name])
		}
	}
	return ""
}

// refuse answers as the stream would (NATS ADR-1).
func (i *intake) refuse(m *nats.Msg, streamName string, code jetstream.ErrorCode, why string) {
	if m.Reply == "" {
		return
	}
	data, err := json.Marshal(map[string]any{
		"type": "io.nats.jetstream.api.v1.pub_ack_response", "stream": streamName, "seq": 0,
		"error": map[string]any{"code": 400, "err_code": code, "description": why},
	})
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		i.log.Warn("a member was not told that its message is refused", "error", err)
	}
}

// answer brings a stream's answer to who asked.
func (i *intake) answer(m *nats.Msg) {
	asked, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(m.Subject, answers))
	if err != nil || len(asked) == 0 {
		return
	}
	if err := i.nc.PublishMsg(&nats.Msg{Subject: string(asked), Header: m.Header, Data: m.Data}); err != nil {
		i.log.Warn("a member was not told that its message is stored", "error", err)
	}
}
