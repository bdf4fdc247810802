package publisher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tripoint/tripoint/pkg/checkup"
	"github.com/tripoint/tripoint/pkg/daemon"
	"github.com/tripoint/tripoint/services/publisher/outbox"
)

const (
	examineFile = 20 * time.Second // for reading all of the outbox's file
	longWait    = time.Hour        // a report that is not witnessed by then is worth a look
)

// Examine looks at a publisher's directory, which may be in use: outbox, key as
// the registry has it, what waits, and what only a thief or a second copy of the outbox
// can have caused. Of config it does not read Stream, Listen and Token.
func Examine(ctx context.Context, config Config) []checkup.Check {
	checks, _ := daemon.Examine(config.Directory)
	config.Token, config.Logger = "not used", nil
	p, err := prepare(config)
	if err != nil {
		return append(checks, checkup.Bad("key", "configure the key of this agency", "%v", err))
	}
	owner := outbox.Owner{Country: config.Country, Agency: config.Agency, Charter: config.Charter.Digest}
	err = outbox.Read(ctx, config.Directory, owner, func(o *outbox.Outbox) error {
		p.outbox = o
		var all []checkup.Check
		var failures []error
		for _, examine := range []func(context.Context) (checkup.Check, error){p.examineKey, p.examineFile, p.examineWaiting, p.examineStrange, p.examineContrary} {
			check, err := examine(ctx)
			if failures = append(failures, err); err == nil {
				all = append(all, check)
			}
		}
		checks = append(checks, all...)
		return errors.Join(failures...)
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		checks = append(checks, checkup.Good("outbox", "this publisher has accepted nothing yet"))
	case err != nil:
		checks = append(checks, checkup.Bad("outbox", "keep a copy of the directory before anything is tried on it", "%v", err))
	}
	return checks
}

func (p *Publisher) examineKey(ctx context.Context) (checkup.Check, error) {
	known, err := p.recall(ctx)
	if err != nil {
		return checkup.Check{}, err
	}
	view := &logView{chapter: known.last()}
	if why := p.standing(view); why != "" {
		return checkup.Bad("key", "see the detail: it says who can mend it", "%s", why), nil
	}
	key, err := p.signingKey(view)
	return checkup.Good("key", "%.16s… is the agency's in the registry, as this outbox has it up to index %d; keys do not expire", key.ID, view.from-1), err
}

func (p *Publisher) examineFile(ctx context.Context) (checkup.Check, error) {
	bounded, cancel := context.WithTimeout(ctx, examineFile)
	defer cancel()
	switch err := p.outbox.Sound(bounded); {
	case bounded.Err() != nil && ctx.Err() == nil:
		return checkup.Good("outbox", "too large to be read in %v: not examined to its end", examineFile), nil
	case err != nil:
		return checkup.Bad("outbox", "stop this publisher and keep a copy of its directory; check the disk", "%v", err), nil
	}
	return checkup.Good("outbox", "its file is sound"), nil
}

func (p *Publisher) examineWaiting(ctx context.Context) (checkup.Check, error) {
	counts, err := p.outbox.Count(ctx)
	if err != nil {
		return checkup.Check{}, err
	}
	since, waits, err := p.outbox.WaitsSince(ctx)
	if err != nil {
		return checkup.Check{}, err
	}
	says := fmt.Sprintf("%d reports accepted, %d witnessed, %d wait here, %d are stored and not witnessed", counts.Accepted, counts.Witnessed, counts.Waiting, counts.Stored)
	if counts.Returned > 0 {
		says += fmt.Sprintf("; %d were not in the log where the hub said", counts.Returned)
	}
	if !waits {
		return checkup.Good("reports", "%s", says), nil
	}
	says += fmt.Sprintf("; the oldest since %s", since.Format(time.RFC3339))
	if time.Since(since) > longWait {
		return checkup.Bad("reports", "start this publisher where it is stopped, and see that it reaches the hub; its status says why nothing goes out. Nothing is lost meanwhile", "%s", says), nil
	}
	return checkup.Good("reports", "%s", says), nil
}

func (p *Publisher) examineStrange(ctx context.Context) (checkup.Check, error) {
	var first outbox.Strange
	count := 0
	err := p.outbox.EachStrange(ctx, func(e outbox.Strange) {
		if count++; count == 1 {
			first = e
		}
	})
	if err != nil || count == 0 {
		return checkup.Good("chains", "nobody else has signed as this agency"), err
	}
	return checkup.Bad("chains", "if no other copy of this outbox was in use, somebody has the key: have the root of the country revoke it and enrol another. "+
		"The events are in outbox.db, table strange", "%d accepted events of this agency are not of this outbox, the first at index %d", count, first.Index), nil
}

func (p *Publisher) examineContrary(ctx context.Context) (checkup.Check, error) {
	contrary, err := p.outbox.Contrary(ctx)
	if err != nil || len(contrary) == 0 {
		return checkup.Good("hub's word", "the hub has delivered nothing here that the log contradicts"), err
	}
	return checkup.Bad("hub's word", "show both sides to the other members: what came, the log's leaf and its checkpoint are in outbox.db, table contrary",
		"the hub has delivered %d messages here that the log contradicts, the first at index %d", len(contrary), contrary[0].Index), nil
}
