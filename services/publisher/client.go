package publisher

import (
	"context"
	"net/http"

	"connectrpc.com/connect"

	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
)

// NewClient speaks to the publisher at url with the bearer token that the
// agency's systems present.
func NewClient(url, token string) publisherv1connect.PublisherServiceClient {
	return publisherv1connect.NewPublisherServiceClient(http.DefaultClient, url, presenting(token))
}

// NewFileClient likewise hands over files.
func NewFileClient(url, token string) publisherv1connect.AttachmentServiceClient {
	return publisherv1connect.NewAttachmentServiceClient(http.DefaultClient, url, presenting(token))
}

func presenting(token string) connect.ClientOption {
	authorize := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
			request.Header().Set("Authorization", "Bearer "+token)
			return next(ctx, request)
		}
	})
	return connect.WithInterceptors(authorize)
}
