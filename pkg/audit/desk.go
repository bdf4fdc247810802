package audit

import (
	"encoding/hex"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// desk folds what one country may see, as its own desk does.
type desk struct {
	country string
	open    Opener // nil: it is replayed without keys
	cabinet casework.Memory
	tally
	away tally // the outsider's when this country left; zero before it came in
}

// tally is how much of the log came to a desk.
type tally struct {
	index  uint64 // of the newest message
	events uint64
	sealed uint64
}

// audiences are who reads what between two updates of the registry: the desks of
// all members that have not left, and the addresses that each reads.
type audiences struct {
	desks []*desk
	reads map[string]map[string]bool // by country
}

// visible reports whether a country reads messages of this label: its addresses,
// and the registry's.
func (a *audiences) visible(country, label string) bool {
	return label == "" || a.reads[country][label]
}

func (a *audiences) has(d *desk) bool { return slices.Contains(a.desks, d) }

// regroup is for a registry that has changed. A country that comes in reads the
// registry from its beginning and nothing else of what was before; one that has left
// reads nothing more, and catches up with the registry if it comes back.
func (r *Replay) regroup() {
	now := &audiences{reads: map[string]map[string]bool{}}
	for _, country := range r.state.Countries() {
		d, ok := r.desks[country]
		if !ok {
			d = &desk{country: country, open: r.openers[country]}
			r.desks[country] = d
		}
		if !r.readers.has(d) && r.outsider.events > 0 {
			d.index = r.outsider.index
			d.events += r.outsider.events - d.away.events
		}
		now.desks = append(now.desks, d)
		now.reads[country] = map[string]bool{}
		for _, address := range r.state.Reads(country) {
			now.reads[country][address] = true
		}
	}
	for _, d := range r.readers.desks {
		if !now.has(d) {
			d.away.events = r.outsider.events
		}
	}
	r.readers = now
}

// showDesks gives a message to the desks that may see it.
func (r *Replay) showDesks(index uint64, subject string, judged verdict.Judged) error {
	label := verdict.Label(subject)
	if label == "" {
		r.outsider.index, r.outsider.events = index, r.outsider.events+1
	}
	for _, d := range r.readers.desks {
		if !r.readers.visible(d.country, label) {
			continue
		}
		if err := r.take(d, index, judged); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replay) take(d *desk, index uint64, judged verdict.Judged) error {
	d.index = index
	d.events++
	if !judged.Said() {
		return nil
	}
	return r.said(d, r.state, index, judged.Event)
}

// seal counts a leaf for the desks that it is not for. readers are those of its
// index: leaves are counted when a checkpoint covers them, some time after.
func (r *Replay) seal(readers *audiences, label string) {
	for _, d := range readers.desks {
		if !r.sealing.has(d) {
			d.sealed += r.outsider.sealed - d.away.sealed
		}
	}
	for _, d := range r.sealing.desks {
		if !readers.has(d) {
			d.away.sealed = r.outsider.sealed
		}
	}
	r.sealing = readers
	if label != "" {
		r.outsider.sealed++
	}
	for _, d := range readers.desks {
		if !readers.visible(d.country, label) {
			d.sealed++
		}
	}
}

func (d *desk) summary() (Desk, error) {
	digest, err := d.cabinet.Digest()
	if err != nil {
		return Desk{}, err
	}
	s := Desk{
		LogIndex: d.index, ViewDigest: hex.EncodeToString(digest[:]), Events: d.events, Sealed: d.sealed, Opened: d.open != nil,
		Transfers: []casework.TransferSummary{}, Breaches: []casework.Breach{},
	}
	for ref := range d.cabinet.All() {
		switch ref.Type {
		case casework.TypeTransfer:
			transfer, _, err := casework.Load[casework.Transfer](&d.cabinet, ref)
			if err != nil {
				return Desk{}, err
			}
			s.Transfers = append(s.Transfers, transfer.Summary())
		case casework.TypeBreach:
			breaches, _, err := casework.Load[casework.Breaches](&d.cabinet, ref)
			if err != nil {
				return Desk{}, err
			}
			s.Breaches = append(s.Breaches, breaches.Breaches...)
		}
	}
	return s, nil
}
