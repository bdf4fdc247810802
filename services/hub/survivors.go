package hub

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/stream"
	logv1 "github.com/tripoint/tripoint/proto/tripoint/log/v1"
	"github.com/tripoint/tripoint/services/hub/salvage"
)

// holds is what a server's streams hold of the log, as a holding. The log stream
// comes first. Where damaged is set, a stream that cannot be read on ends there.
func (h *Hub) holds(name string, damaged bool) salvage.Source {
	return salvage.Source{Name: name, Damaged: damaged, Open: func(ctx context.Context) (salvage.Records, error) {
		return &survivors{ctx: ctx, js: h.js, left: []string{stream.Log, stream.Events}, damaged: damaged, warn: h.config.Logger.Warn}, nil
	}}
}

// survivors reads streams one after the other, to their ends.
type survivors struct {
	ctx     context.Context // of the whole reading
	js      jetstream.JetStream
	left    []string // streams not begun
	damaged bool
	warn    func(string, ...any)

	now *reel // nil: the next one is to be begun
}

func (s *survivors) Close() error {
	if s.now != nil {
		s.now.close()
		s.now = nil
	}
	return nil
}

// Next passes over what is not a record of a holding: the log stream of a damaged
// hub may hold anything.
func (s *survivors) Next() (holding.Record, error) {
	for {
		m, err := s.next()
		if err != nil {
			return holding.Record{}, err
		}
		if record, ok := recordOf(m); ok {
			return record, nil
		}
	}
}

func recordOf(m stream.Message) (record holding.Record, ok bool) {
	switch {
	case m.Subject == stream.LeavesSubject:
		leaves := &logv1.Leaves{}
		err := proto.Unmarshal(m.Data, leaves)
		return holding.Record{Leaves: leaves}, err == nil && len(leaves.GetHashes()) > 0 && len(leaves.GetCheckpoint()) > 0
	case strings.HasPrefix(m.Subject, "log."):
		return holding.Record{Cosignature: m.Data}, strings.HasPrefix(m.Subject, stream.CosignPrefix) && len(m.Data) > 0
	}
	return holding.Record{Message: &holding.Message{Index: m.Sequence - 1, Known: true, Subject: m.Subject, Data: m.Data}}, true
}

func (s *survivors) next() (stream.Message, error) {
	for {
		if s.now == nil {
			if len(s.left) == 0 {
				return stream.Message{}, io.EOF
			}
			if err := s.begin(); err != nil {
				return stream.Message{}, err
			}
			continue
		}
		m, ok, err := s.now.next(s.ctx)
		if ok {
			return m.Message, nil
		}
		s.Close()
		if err == nil {
			continue
		}
		if err := s.fault(fmt.Errorf("reading on: %w", err)); err != nil {
			return stream.Message{}, err
		}
	}
}

func (s *survivors) begin() (err error) {
	name := s.left[0]
	s.left = s.left[1:]
	if s.now, err = openReel(s.ctx, s.js, name); err != nil {
		s.now = nil
		return s.fault(fmt.Errorf("opening stream %s: %w", name, err))
	}
	return nil
}

// fault decides whether a stream that cannot be read is an error.
func (s *survivors) fault(err error) error {
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if !s.damaged {
		return err
	}
	s.warn("a damaged stream cannot be read on", "error", err)
	return nil
}
