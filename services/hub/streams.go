package hub

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// eventsConfig and logConfig say how the streams are kept: nothing is deleted,
// purged or limited, and nothing is copied elsewhere.
func eventsConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: stream.Events, Subjects: []string{"evt.>", "reg.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, DenyDelete: true, DenyPurge: true, AllowAtomicPublish: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}
}

func logConfig() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: stream.Log, Subjects: []string{"log.>"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, DenyDelete: true, DenyPurge: true,
		MaxMsgs: -1, MaxBytes: -1, MaxMsgsPerSubject: -1, MaxMsgSize: -1, MaxConsumers: -1,
	}
}

// provide makes streams and consumers as the tenancy asks, and founds the log
// with its charter where it is empty. It may be repeated.
func provide(ctx context.Context, js jetstream.JetStream, charter registry.Charter, consumers []consumer) error {
	for _, config := range []jetstream.StreamConfig{eventsConfig(), logConfig()} {
		if _, err := js.CreateOrUpdateStream(ctx, config); err != nil {
			return fmt.Errorf("making stream %s: %w", config.Name, err)
		}
	}
	if err := foundLog(ctx, js, charter); err != nil {
		return err
	}
	consumers = append(consumers, consumer{stream: stream.Events, name: stream.NotaryUser})
	for _, c := range consumers {
		_, err := js.CreateOrUpdateConsumer(ctx, c.stream, jetstream.ConsumerConfig{
			Durable: c.name, FilterSubjects: c.filters,
			DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 1 << 16,
		})
		if err != nil {
			return fmt.Errorf("making consumer %s of %s: %w", c.name, c.stream, err)
		}
	}
	return nil
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
