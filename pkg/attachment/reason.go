package attachment

import "errors"

// Reason says why a file, or a part of it, is not there. It is what errors of this
// package wrap; codes are shown, counted and stable.
type Reason string

// The reasons, in the order in which they are found.
const (
	Malformed Reason = "malformed" // the section's entry is not in its form
	Missing   Reason = "missing"   // the hub has no such chunk, or keeps it back
	Erased    Reason = "erased"    // an empty message lies in its place
	Moved     Reason = "moved"     // another chunk of this file lies there
	Cut       Reason = "cut"       // the chunk has another length
	Altered   Reason = "altered"   // other bytes lie there
	Broken    Reason = "broken"    // the very bytes that the originator names, and they do not open
)

var words = map[Reason]string{
	Malformed: "the attachment is not in its form",
	Missing:   "the hub does not have the chunk, or keeps it back",
	Erased:    "the chunk was erased",
	Cut:       "the chunk has another length than the file's size says",
	Moved:     "another chunk of the file lies in its place",
	Altered:   "the chunk is not the one that was named",
	Broken:    "the chunk is the one that was named, and does not open",
}

// Error is the reason in plain words.
func (r Reason) Error() string {
	if words, ok := words[r]; ok {
		return words
	}
	return string(r)
}

// ReasonOf finds the reason in an error; empty where there is none.
func ReasonOf(err error) Reason {
	var reason Reason
	errors.As(err, &reason)
	return reason
}
