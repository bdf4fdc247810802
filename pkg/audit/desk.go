package audit

import (
	"encoding/hex"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/verdict"
)

// desk folds what one country may see, as its own desk does.
type desk struct {
	country string
	cabinet casework.Memory
	index   uint64
	events  uint64
	sealed  uint64
}

// showDesks gives a message to the desks that may see it.
func (r *Replay) showDesks(index uint64, subject string, judged verdict.Judged) error {
	label := verdict.Label(subject)
	for _, country := range r.state.Countries() {
		d, ok := r.desks[country]
		if !ok {
			d = &desk{country: country}
			r.desks[country] = d
		}
		if !visible(r.state, country, label) {
			continue
		}
		if err := d.take(r.state, index, judged); err != nil {
			return err
		}
	}
	return nil
}

// visible reports whether a country reads messages of this label: its audiences,
// and the registry's.
func visible(state registry.State, country, label string) bool {
	audience, ok := state.Audience(label)
	return label == "" || ok && audience.Has(country)
}

func (d *desk) take(state registry.State, index uint64, judged verdict.Judged) error {
	d.index = index
	d.events++
	if judged.Code != verdict.Accepted || judged.Update {
		return nil
	}
	audience, _ := state.Audience(judged.Event.Chain.Audience)
	_, err := casework.Fold(&d.cabinet, casework.Hear(index, judged.Event, audience))
	return err
}

// label counts the leaves that are not for this desk.
func (d *desk) label(state registry.State, label string) {
	if !visible(state, d.country, label) {
		d.sealed++
	}
}

func (d *desk) summary() (Desk, error) {
	digest, err := d.cabinet.Digest()
	if err != nil {
		return Desk{}, err
	}
	s := Desk{
		LogIndex: d.index, ViewDigest: hex.EncodeToString(digest[:]), Events: d.events, Sealed: d.sealed,
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
