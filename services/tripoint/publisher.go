package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
)

// reach says how a command reaches a publisher.
type reach struct{ url, tokenFile, data, as string }

func (r *reach) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&r.url, "publisher", "", "URL of the publisher")
	flags.StringVar(&r.tokenFile, "token-file", "", "file with the publisher's bearer token")
	flags.StringVar(&r.data, "data", "pilot-data", "data directory of a running pilot, instead of --publisher")
	flags.StringVar(&r.as, "as", "", "the agency of the pilot to speak as, for example TH/immigration")
}

func (r *reach) dial() (publisherv1connect.PublisherServiceClient, error) {
	return dial(r.url, r.tokenFile, r.data, r.as)
}

// publisherCommands are what an agency does with events that it has said.
func publisherCommands() []*cobra.Command {
	return []*cobra.Command{eraseCommand(), recallCommand(), reviewEventsCommand()}
}

func eraseCommand() *cobra.Command {
	var to reach
	var reason string
	command := &cobra.Command{
		Use:   "erase EVENT...",
		Short: "Erase the keys of this agency's own events, for good",
		Long: "Erases the keys of this agency's own events: nobody can open them any more who has not\n" +
			"kept a key or the content, and the log says that it was done and why. The publisher\n" +
			"answers when that is decided, and repeats it until the hub has the key records without them.",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, events []string) error {
			client, err := to.dial()
			if err != nil {
				return err
			}
			response, err := client.Erase(command.Context(), &publisherv1.EraseRequest{EventIds: events, Reason: reason})
			if err != nil {
				return inWords(err)
			}
			encoder := json.NewEncoder(command.OutOrStdout())
			for _, e := range response.GetErasing() {
				if err := encoder.Encode(map[string]any{"event_id": e.GetEventId(), "repeated": e.GetRepeated()}); err != nil {
					return err
				}
			}
			return nil
		},
	}
	to.flags(command)
	command.Flags().StringVar(&reason, "reason", "", "why, for those who read the events; nothing of their content")
	_ = command.MarkFlagRequired("reason") // the flag is there
	return command
}

// control is what the reports of recall and review have in common.
type control struct {
	to                                        reach
	audience, retention, purpose, reason, key string
}

func (c *control) flags(command *cobra.Command) {
	c.to.flags(command)
	flags := command.Flags()
	flags.StringVar(&c.audience, "audience", "", "the audience that the events were said to")
	flags.StringVar(&c.retention, "retention", "", "the retention class of what is said now")
	flags.StringVar(&c.purpose, "purpose", "", "a purpose of the audience")
	flags.StringVar(&c.reason, "reason", "", "why, for those who read the events; nothing of their content")
}

// say hands one report in. The same identifier with the same words is said once.
func (c *control) say(command *cobra.Command, section *caseworkv1.CaseSection) error {
	client, err := c.to.dial()
	if err != nil {
		return err
	}
	section.Marking = &caseworkv1.Marking{Tlp: caseworkv1.Tlp_TLP_AMBER, Pap: caseworkv1.Pap_PAP_AMBER, Purpose: c.purpose}
	section.Occurred = time.Now().UTC().Format(time.DateOnly)
	report := &caseworkv1.Report{IdempotencyKey: c.key, Audience: c.audience, Retention: c.retention, Case: section}
	return send(command.Context(), client, []*caseworkv1.Report{report}, command.OutOrStdout())
}

func recallCommand() *cobra.Command {
	c := &control{}
	var id, deadline string
	command := &cobra.Command{
		Use:   "recall EVENT...",
		Short: "Ask every reader to destroy what it has of this agency's events, and to say so",
		Long: "Says a recall to an audience, and to each other that one of the events was said or released\n" +
			"to: who reads the events there destroys what it has of them, and confirms it. The answer\n" +
			"names the other audiences. Nothing of what is recalled is released any more.",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, events []string) error {
			c.key = "recall " + id
			return c.say(command, &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlRecalled{ControlRecalled: &caseworkv1.ControlRecalled{
				RecallId: id, EventIds: events, Reason: c.reason, Deadline: deadline,
			}}})
		},
	}
	c.flags(command)
	command.Flags().StringVar(&id, "id", "", "the agency's own identifier of this recall")
	command.Flags().StringVar(&deadline, "deadline", "", "until when receipts are due, for example 2025-03-01T12:00:00+07:00")
	return required(command, "audience", "retention", "purpose", "reason", "id", "deadline")
}

func reviewEventsCommand() *cobra.Command {
	c := &control{}
	var date string
	command := &cobra.Command{
		Use:   "review EVENT...",
		Short: "Say when this agency's events are to be looked at again, and kept or erased",
		Args:  arguments(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, events []string) error {
			c.key = fmt.Sprintf("review %s %d of %s", date, len(events), events[0])
			return c.say(command, &caseworkv1.CaseSection{Content: &caseworkv1.CaseSection_ControlReviewed{ControlReviewed: &caseworkv1.ControlReviewed{
				EventIds: events, ReviewDate: date, Reason: c.reason,
			}}})
		},
	}
	c.flags(command)
	command.Flags().StringVar(&date, "date", "", "the next review, for example 2026-02-12")
	return required(command, "audience", "retention", "purpose", "reason", "date")
}

func required(command *cobra.Command, flags ...string) *cobra.Command {
	for _, flag := range flags {
		_ = command.MarkFlagRequired(flag) // it is there
	}
	return command
}

// inWords is what the publisher says, without the protocol around it.
func inWords(err error) error {
	var answer *connect.Error
	if errors.As(err, &answer) {
		return errors.New(answer.Message())
	}
	return err
}
