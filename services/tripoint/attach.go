package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/pilot"
	"github.com/tripoint/tripoint/services/publisher"
)

// partSize is how much of a file one request hands over, in bytes: eight chunks.
const partSize = 1 << 20

func attachCommand() *cobra.Command {
	var url, tokenFile, data, as, key string
	request := &publisherv1.BeginAttachmentRequest{}
	command := &cobra.Command{
		Use:   "attach FILE",
		Short: "Hand a file to a publisher, for a report to name",
		Long: "Hands a file of up to 64 MiB to an agency's publisher, and prints what a report has to\n" +
			"say of it: put that, as it is, into the attachments of the section whose readers may\n" +
			"have the file. It holds the file's key. Where the connection breaks, the command goes on; given\n" +
			"again it goes on from where it was.",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(command *cobra.Command, files []string) error {
			client, err := dialFiles(url, tokenFile, data, as)
			if err != nil {
				return err
			}
			file, err := os.Open(files[0])
			if err != nil {
				return err
			}
			defer file.Close()
			if err := describeFile(request, file, key); err != nil {
				return fmt.Errorf("%s: %w", files[0], err)
			}
			state, err := handOver(command.Context(), client, request, file)
			if err != nil {
				return fmt.Errorf("%s: %w", files[0], err)
			}
			if state.GetAttachment() == nil {
				return fmt.Errorf("%s: report %s names it already: to name it again, give another --key", files[0], state.GetEventId())
			}
			entry, err := protojson.Marshal(state.GetAttachment())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(command.OutOrStdout(), string(entry))
			return err
		},
	}
	flags := command.Flags()
	flags.StringVar(&url, "publisher", "", "URL of the publisher")
	flags.StringVar(&tokenFile, "token-file", "", "file with the publisher's bearer token")
	flags.StringVar(&data, "data", "pilot-data", "data directory of a running pilot, instead of --publisher")
	flags.StringVar(&as, "as", "", "the agency of the pilot to speak as, for example TH/immigration")
	flags.StringVar(&request.Audience, "audience", "", "audience of the report that will name the file")
	flags.StringVar(&request.Retention, "retention", "", "retention class of that report")
	flags.StringVar(&request.Name, "name", "", "the file's name for its readers (default: that of FILE)")
	flags.StringVar(&request.MediaType, "type", "", "its media type (default: by the name's end)")
	flags.StringVar(&key, "key", "", "idempotency key (default: by audience, class, name and content)")
	return command
}

func dialFiles(url, tokenFile, data, as string) (publisherv1connect.AttachmentServiceClient, error) {
	switch {
	case url != "" && tokenFile != "":
		token, err := os.ReadFile(tokenFile)
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		return publisher.NewFileClient(url, strings.TrimSpace(string(token))), nil
	case as != "":
		return pilot.DialFiles(data, as)
	}
	return nil, exit{exitUsage, errors.New("say --as COUNTRY/agency for a running pilot, or --publisher and --token-file")}
}

// describeFile fills in what the file itself says.
func describeFile(request *publisherv1.BeginAttachmentRequest, file *os.File, key string) error {
	digest := sha256.New()
	size, err := io.Copy(digest, file)
	if err != nil {
		return err
	}
	request.Size, request.Sha256 = uint64(size), digest.Sum(nil)
	if request.Name == "" {
		request.Name = filepath.Base(file.Name())
	}
	if request.MediaType == "" {
		request.MediaType, _, _ = mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(request.Name)))
	}
	if request.IdempotencyKey = key; key == "" {
		all := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %x", request.Audience, request.Retention, request.Name, request.Sha256))
		request.IdempotencyKey = "attach " + hex.EncodeToString(all[:16])
	}
	return nil
}

// handOver sends what the publisher has not, and goes on after a break for as long as
// each attempt brings something, or the publisher is away for no more than a few minutes.
func handOver(ctx context.Context, client publisherv1connect.AttachmentServiceClient, request *publisherv1.BeginAttachmentRequest, file io.ReaderAt) (*publisherv1.AttachmentState, error) {
	var state *publisherv1.AttachmentState
	part := make([]byte, partSize)
	for attempts := 0; ; {
		err := func() error {
			begun, err := client.BeginAttachment(ctx, request)
			if err != nil {
				return err
			}
			for state = begun.GetState(); state.GetReceived() < request.GetSize(); {
				n, err := file.ReadAt(part, int64(state.GetReceived()))
				if n == 0 {
					return connect.NewError(connect.CodeFailedPrecondition, fmt.Errorf("the file has become shorter: %w", err))
				}
				put, err := client.PutAttachment(ctx, &publisherv1.PutAttachmentRequest{
					IdempotencyKey: request.GetIdempotencyKey(), Offset: state.GetReceived(), Data: part[:n],
				})
				if err != nil {
					return err
				}
				if put.GetState().GetReceived() > state.GetReceived() {
					attempts = 0
				}
				state = put.GetState()
			}
			return nil
		}()
		if err == nil {
			return state, nil
		}
		if attempts++; !slices.Contains(passing, connect.CodeOf(err)) || attempts > mostAttempts || ctx.Err() != nil {
			var answer *connect.Error
			if errors.As(err, &answer) {
				return nil, errors.New(answer.Message())
			}
			return nil, err
		}
		select {
		case <-time.After(time.Duration(attempts) * betweenAttempts):
		case <-ctx.Done():
		}
	}
}

// passing are the codes of faults that pass; a connection that is reset in the middle has
// one or the other.
var passing = []connect.Code{connect.CodeUnavailable, connect.CodeUnknown, connect.CodeCanceled, connect.CodeDeadlineExceeded}

// A publisher that is away is asked again for about three and a half minutes.
const (
	mostAttempts    = 20
	betweenAttempts = time.Second
)
