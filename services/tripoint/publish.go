package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

const (
	reportsPerRequest = 200
	longestLine       = 1 << 20 // bytes
)

func publishCommand() *cobra.Command {
	var to reach
	command := &cobra.Command{
		Use:   "publish FILE...",
		Short: "Hand reports to a publisher: JSON lines, one report a line; - is stdin",
		Long: "Hands reports to an agency's publisher and prints what it accepted, a JSON line for\n" +
			"each. Reports are JSON of tripoint.casework.v1.Report. Those of up to 200 lines are\n" +
			"accepted together or not at all; the same file may be given again.",
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(command *cobra.Command, files []string) error {
			client, err := to.dial()
			if err != nil {
				return err
			}
			for _, file := range files {
				if err := publishFile(command.Context(), client, file, command.InOrStdin(), command.OutOrStdout()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	to.flags(command)
	return command
}

func dial(url, tokenFile, data, as string) (publisherv1connect.PublisherServiceClient, error) {
	switch {
	case url != "" && tokenFile != "":
		token, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		return publisher.NewClient(url, strings.TrimSpace(string(token))), nil
	case as != "":
		return pilot.Dial(data, as)
	}
	return nil, exit{exitUsage, errors.New("say --as COUNTRY/agency for a running pilot, or --publisher and --token-file")}
}

func publishFile(ctx context.Context, client publisherv1connect.PublisherServiceClient, file string, stdin io.Reader, out io.Writer) error {
	input := stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return err
		}
		defer opened.Close()
		input = opened
	}
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, longestLine)
	var waiting portion
	for number := 1; lines.Scan(); number++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		report := &caseworkv1.Report{}
		if err := protojson.Unmarshal(lines.Bytes(), report); err != nil {
			return fmt.Errorf("%s: line %d: %w", file, number, err)
		}
		waiting.add(number, report)
		if len(waiting.reports) == reportsPerRequest {
			if err := waiting.send(ctx, client, out); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	if err := errors.Join(lines.Err(), waiting.send(ctx, client, out)); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// portion is what goes into one request.
type portion struct {
	reports     []*caseworkv1.Report
	first, last int // lines
}

func (p *portion) add(line int, report *caseworkv1.Report) {
	if len(p.reports) == 0 {
		p.first = line
	}
	p.reports, p.last = append(p.reports, report), line
}

// send hands the portion over and empties it. Nothing of a refused one was accepted.
func (p *portion) send(ctx context.Context, client publisherv1connect.PublisherServiceClient, out io.Writer) error {
	if len(p.reports) == 0 {
		return nil
	}
	if err := send(ctx, client, p.reports, out); err != nil {
		return fmt.Errorf("lines %d to %d: %w", p.first, p.last, err)
	}
	p.reports = nil
	return nil
}

func send(ctx context.Context, client publisherv1connect.PublisherServiceClient, reports []*caseworkv1.Report, out io.Writer) error {
	response, err := client.Publish(ctx, &publisherv1.PublishRequest{Reports: reports})
	if err != nil {
		return inWords(err)
	}
	encoder := json.NewEncoder(out)
	for _, accepted := range response.GetAccepted() {
		line := map[string]any{
			"idempotency_key": accepted.GetIdempotencyKey(), "event_id": accepted.GetEventId(), "repeated": accepted.GetRepeated(),
		}
		if also := accepted.GetAlso(); len(also) > 0 {
			line["also"] = also
		}
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}
