package casework

import (
	"encoding/hex"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Erasure is an event whose keys its agency says are gone. Its identifier is EventRef.In.
type Erasure struct {
	ID      string         `json:"id"` // of the event
	Country string         `json:"country"`
	Agency  string         `json:"agency"`
	Index   uint64         `json:"index"`  // of the event
	Claims  []ErasureClaim `json:"claims"` // in log order; one, but for whoever says it again

	Oddities Oddities `json:"oddities,omitempty"`
}

// ErasureClaim says which key record has no entry for the event any more.
type ErasureClaim struct {
	Claim
	Batch    string `json:"batch"`    // hexadecimal root
	Revision uint64 `json:"revision"` // of the record
	Record   string `json:"record"`   // SHA-256 of it, hexadecimal
	Reason   string `json:"reason,omitempty"`
}

func (f *folding) controlErased(m *caseworkv1.ControlErased) error {
	f.say("erased %s", events(len(eventIDs(f.said.Case)))) // an event that was released has a record of its own there
	subjects := f.recallable()
	if len(subjects) == 0 {
		return f.unplaced("none of the events is known here and its agency's to erase")
	}
	said := make(map[string]*caseworkv1.Erasure, len(m.GetErasures())) // by event id, the first
	for _, erasure := range m.GetErasures() {
		if said[erasure.GetEventId()] == nil {
			said[erasure.GetEventId()] = erasure
		}
	}
	for _, s := range subjects {
		erasure := said[s.ID]
		claim := ErasureClaim{
			Claim: f.claim, Batch: digestText(erasure.GetBatch()), Revision: erasure.GetRevision(),
			Record: digestText(erasure.GetRecordDigest()), Reason: m.GetReason(),
		}
		if claim.Batch == "" || claim.Record == "" {
			claim.Remarks = append(claim.Remarks[:len(claim.Remarks):len(claim.Remarks)], "which key record has no entry for it is not stated")
		}
		if err := write(f, s.In(TypeErasure), func(e *Erasure) {
			e.ID, e.Country, e.Agency, e.Index = s.ID, s.Country(), s.Agency(), s.Index
			e.Claims = append(e.Claims, claim)
		}); err != nil {
			return err
		}
		if err := f.mark(s, func(o *Origin) { o.Erased = true }); err != nil {
			return err
		}
	}
	return nil
}

func (e *Erasure) derive() {
	e.Oddities = nil
	for _, c := range e.Claims {
		e.Oddities.remarks(c.Claim)
	}
}

// digestText is a digest in hexadecimal; empty where the bytes are none.
func digestText(digest []byte) string {
	if len(digest) != 32 {
		return ""
	}
	return hex.EncodeToString(digest)
}
