package seal

import "errors"

// Reason says why content stays closed, or a record is not used. It is what errors of
// this package wrap; codes are shown, counted and stable.
type Reason string

// The reasons, in the order in which they are found.
const (
	MalformedRecord   Reason = "malformed-record"   // not in its one form
	NotOriginator     Reason = "not-originator"     // signed by another than whose batch it is of
	OutdatedRecord    Reason = "outdated-record"    // a later revision was there before
	ConflictingRecord Reason = "conflicting-record" // another record has this revision: both are proof
	NoRecord          Reason = "no-record"          // there is none for this batch
	OtherRecord       Reason = "other-record"       // of another batch, origin or retention class than the event
	Expired           Reason = "expired"
	NotGranted        Reason = "not-granted"    // the record is for others
	Erased            Reason = "erased"         // the record has no entry for this section any more
	NoPrivateKey      Reason = "no-private-key" // wrapped to a key that is not here: of another epoch, destroyed, or of officers elsewhere
	BrokenWrap        Reason = "broken-wrap"    // the batch key does not open
	BrokenEntry       Reason = "broken-entry"   // the content key does not open
	WrongKey          Reason = "wrong-key"      // the content key is not the one that the header commits to
	BrokenContent     Reason = "broken-content" // the right key, and the ciphertext does not open
)

// Error is the reason in plain words.
func (r Reason) Error() string {
	if words, ok := words[r]; ok {
		return words
	}
	return string(r)
}

var words = map[Reason]string{
	MalformedRecord:   "the key record is not in its form",
	NotOriginator:     "the key record is not signed by the agency whose events it is for",
	OutdatedRecord:    "the key record was replaced by a later revision",
	ConflictingRecord: "two key records have one revision",
	NoRecord:          "there is no key record",
	OtherRecord:       "the key record is for other events",
	Expired:           "the key record has expired",
	NotGranted:        "the key record has no key for this desk",
	Erased:            "the key was erased",
	NoPrivateKey:      "this desk does not have the private key that it is sealed to",
	BrokenWrap:        "the batch key does not open",
	BrokenEntry:       "the content key does not open",
	WrongKey:          "the content key is not the one that the event commits to",
	BrokenContent:     "the content does not open",
}

// ReasonOf finds the reason in an error; empty where there is none.
func ReasonOf(err error) Reason {
	var reason Reason
	errors.As(err, &reason)
	return reason
}
