package pilot

import (
	"context"
	"errors"
	"fmt"

	"github.com/tripoint/tripoint/pkg/event"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
	"github.com/tripoint/tripoint/services/desk"
)

// Evidence makes a file that proves an event, out of a desk's journal in a data
// directory, of a pilot that runs or of one that was stopped. Without a country it is
// the first desk that has the event. It opens the sealed sections of the compartments in open.
func Evidence(ctx context.Context, data, country string, id event.ID, open ...eventv1.Compartment) (file []byte, from string, err error) {
	layout := Layout(data)
	charter, err := readCharter(layout)
	if err != nil {
		return nil, "", err
	}
	countries := []string{country}
	if country == "" {
		countries = layout.countries()
	}
	err = fmt.Errorf("no desk in %s", data)
	for _, country := range countries {
		keys, unread := layout.loadOpenings(country)
		if unread != nil {
			return nil, country, unread
		}
		file, err = desk.Evidence(ctx, desk.Config{Country: country, Directory: layout.desk(country), Charter: charter, OpeningKeys: keys}, id, open...)
		if !errors.Is(err, desk.ErrNoEvent) {
			return file, country, err
		}
	}
	return nil, "", err
}
