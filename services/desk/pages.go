package desk

import (
	"context"

	"github.com/tripoint/tripoint/services/desk/console"
	"github.com/tripoint/tripoint/services/desk/keyring"
)

// Pages makes this desk's console, for Config.Console.
func (d *Desk) Pages() (*console.Console, error) {
	return console.New(console.Config{
		Country: d.config.Country, State: d.State, Reader: d.Reader(), Changes: d.Live(), Logger: d.log, History: d.book.history,
		Status: func() console.Status { return console.Status(d.Status()) }, Alarms: d.allAlarms, Ring: ringPages{d.ring},
		Attachments: d.files.list, Control: control{d},
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

// ringPages is what the key ring has noted, for the console.
type ringPages struct{ ring *keyring.Ring }

// exportsShown bounds what a page reads of the exports, the newest first.
const exportsShown = 1000

func (p ringPages) Refusals(ctx context.Context) ([]console.Refusal, error) {
	all, err := p.ring.Refusals(ctx)
	shown := make([]console.Refusal, len(all))
	for i, r := range all {
		shown[i] = console.Refusal{Since: r.Since, Subject: r.Subject, Reason: string(r.Reason), Digest: r.Digest.String()}
	}
	return shown, err
}

func (p ringPages) Exports(ctx context.Context) ([]console.Export, error) {
	all, err := p.ring.Made(ctx, exportsShown)
	shown := make([]console.Export, len(all))
	for i, e := range all {
		shown[i] = console.Export{Made: e.Made, Person: e.Person, Form: e.Form, Events: idTexts(e.Events)}
	}
	return shown, err
}

func (p ringPages) Owed(ctx context.Context) ([]console.Owed, error) {
	all, err := p.ring.Owed(ctx)
	shown := make([]console.Owed, len(all))
	for i, r := range all {
		shown[i] = console.Owed{Country: r.Country, Agency: r.Agency, Recall: r.Recall, Destroyed: r.Destroyed, Refused: r.Refused}
	}
	return shown, err
}
