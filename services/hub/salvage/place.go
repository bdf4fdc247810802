package salvage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
)

// Each shows the log's messages in their order; nil where nobody has one. A message
// is shown only where it is the leaf at its index.
func (l *Log) Each(ctx context.Context, show func(index uint64, m *holding.Message) error) error {
	readers := []*follow{{name: "the charter", records: &single{l.charter}}}
	defer func() {
		for _, r := range readers {
			r.records.Close()
		}
	}()
	for _, s := range l.sources {
		records, err := s.Open(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
		readers = append(readers, &follow{name: s.Name, records: records})
	}
	for index, present := range l.present {
		m, err := l.messageAt(uint64(index), present, readers)
		if err != nil {
			return err
		}
		if err := show(uint64(index), m); err != nil {
			return err
		}
		if index%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (l *Log) messageAt(index uint64, present bool, readers []*follow) (*holding.Message, error) {
	if !present {
		return nil, nil
	}
	if m, ok := l.found[index]; ok {
		return &m, nil
	}
	for _, r := range readers {
		m, err := r.at(index)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		if m != nil && l.proves(*m) {
			return m, nil
		}
	}
	return nil, fmt.Errorf("message %d was there before and is not any more: a holding has changed while it was read", index)
}

// follow reads the placed messages of one holding in step with the log.
type follow struct {
	name    string
	records Records
	ahead   *holding.Message // read, not passed yet
	ended   bool
}

// at is the message that the holding has at an index, which rises from call to
// call; nil where it has none.
func (f *follow) at(index uint64) (*holding.Message, error) {
	for !f.ended && (f.ahead == nil || f.ahead.Index < index) {
		record, err := f.records.Next()
		if errors.Is(err, io.EOF) {
			f.ended, f.ahead = true, nil
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if record.Message != nil {
			// Those whose place is not known come last.
			f.ahead, f.ended = record.Message, !record.Message.Known
		}
	}
	if f.ended || f.ahead.Index != index {
		return nil, nil
	}
	return f.ahead, nil
}

// single is the charter as a holding.
type single struct{ charter registry.Charter }

func (s *single) Next() (holding.Record, error) {
	if s.charter.Message == nil {
		return holding.Record{}, io.EOF
	}
	m := holding.Message{Known: true, Subject: registry.FoundingSubject, Data: s.charter.Message}
	s.charter.Message = nil
	return holding.Record{Message: &m}, nil
}

func (s *single) Close() error { return nil }
