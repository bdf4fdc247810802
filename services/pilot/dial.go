package pilot

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tripoint/tripoint/proto/tripoint/publisher/v1/publisherv1connect"
	"github.com/tripoint/tripoint/services/publisher"
)

// Dial speaks to the publisher of one agency, COUNTRY/agency, of a running pilot.
func Dial(data, agency string) (publisherv1connect.PublisherServiceClient, error) {
	url, token, err := find(data, agency)
	if err != nil {
		return nil, err
	}
	return publisher.NewClient(url, token), nil
}

// DialFiles likewise hands it files.
func DialFiles(data, agency string) (publisherv1connect.AttachmentServiceClient, error) {
	url, token, err := find(data, agency)
	if err != nil {
		return nil, err
	}
	return publisher.NewFileClient(url, token), nil
}

func find(data, agency string) (url, token string, err error) {
	layout := Layout(data)
	running, err := FindRunning(layout)
	if err != nil {
		return "", "", err
	}
	url, ok := running.Publishers[agency]
	if !ok {
		all := strings.Join(slices.Sorted(maps.Keys(running.Publishers)), ", ")
		return "", "", fmt.Errorf("this pilot has no agency %q: it has %s", agency, all)
	}
	country, name, _ := strings.Cut(agency, "/")
	token, err = readToken(layout, voice{country, name})
	return url, token, err
}
