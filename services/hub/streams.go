package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// provideStreams makes the streams, and founds the log with its charter where it
// is empty. It may be repeated.
func provideStreams(ctx context.Context, js jetstream.JetStream, charter registry.Charter) error {
	for _, config := range stream.Settings() {
		if _, err := js.CreateOrUpdateStream(ctx, config); err != nil {
			return fmt.Errorf("making stream %s: %w", config.Name, err)
		}
	}
	return foundLog(ctx, js, charter)
}

// foundLog makes the charter the stream's first message. A stream that begins
// with another charter is another log, and refused. One that has lost its first
// message is served as it is, so that desks and audits can name what is missing.
func foundLog(ctx context.Context, js jetstream.JetStream, charter registry.Charter) error {
	events, err := js.Stream(ctx, stream.Events)
	if err != nil {
		return fmt.Errorf("opening stream %s: %w", stream.Events, err)
	}
	info, err := events.Info(ctx)
	if err != nil {
		return fmt.Errorf("opening stream %s: %w", stream.Events, err)
	}
	if info.State.LastSeq == 0 {
		_, err := js.Publish(ctx, registry.FoundingSubject, charter.Message, jetstream.WithExpectLastSequence(0))
		if wrong := (*jetstream.APIError)(nil); errors.As(err, &wrong) && wrong.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
			return nil // it looks empty and is not: all is lost, and likewise served
		}
		if err != nil {
			return fmt.Errorf("founding the log: %w", err)
		}
		return nil
	}
	first, err := events.GetMsg(ctx, 1)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the log's first message: %w", err)
	}
	if string(first.Data) != string(charter.Message) {
		return fmt.Errorf("the log in this directory begins with another charter than %s", charter.Digest)
	}
	return nil
}
