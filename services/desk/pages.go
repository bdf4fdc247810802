package desk

import (
	"context"

	"github.com/tripoint/tripoint/services/desk/console"
)

// Pages makes this desk's console, for Config.Console.
func (d *Desk) Pages() (*console.Console, error) {
	return console.New(console.Config{
		Country: d.config.Country, State: d.State, Reader: d.Reader(), Changes: d.Live(), Logger: d.log, History: d.book.history,
		Status: func() console.Status { return console.Status(d.Status()) }, Alarms: d.allAlarms,
	})
}

// allAlarms are the journal's, for the console.
func (d *Desk) allAlarms(ctx context.Context) ([]console.Alarm, error) {
	all, err := d.journal.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	shown := make([]console.Alarm, len(all))
	for i, a := range all {
		shown[i] = console.Alarm{
			Number: a.Number, Raised: a.Raised, Code: a.Code, Index: a.Index, What: a.What, Have: a.Have, Got: a.Got,
		}
		if a.Settled != nil {
			shown[i].Ended = &console.Ended{When: a.Settled.When, Person: a.Settled.Person, Reason: a.Settled.Reason}
		}
	}
	return shown, nil
}
