package translog

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	// MaxProof is how many hashes a submission's proof may have, C2SP tlog-witness.
	MaxProof = 63
	// MaxSubmission is the longest submission, in bytes.
	MaxSubmission = MaxNote + (MaxProof+2)*64
)

// Submission is what a log asks a witness to cosign: the body of C2SP tlog-witness's add-checkpoint.
type Submission struct {
	Old   uint64 // size of the checkpoint that the witness cosigned last; 0: none
	Proof []Hash // that the tree of Old leaves is a beginning of the note's
	Note  []byte // the signed checkpoint; not looked into
}

// Bytes is the body that ParseSubmission reads.
func (s Submission) Bytes() []byte {
	body := fmt.Appendf(nil, "old %d\n", s.Old)
	for _, hash := range s.Proof {
		body = append(base64.StdEncoding.AppendEncode(body, hash[:]), '\n')
	}
	return append(append(body, '\n'), s.Note...)
}

// ParseSubmission reads what Bytes writes and nothing else. Its errors are *Malformed.
func ParseSubmission(body []byte) (Submission, error) {
	if len(body) > MaxSubmission {
		return Submission{}, malformed("submission of %d bytes is above %d", len(body), MaxSubmission)
	}
	head, text, found := bytes.Cut(body, []byte("\n\n"))
	if !found {
		return Submission{}, malformed("no empty line stands before the checkpoint")
	}
	if len(text) == 0 {
		return Submission{}, malformed("no checkpoint follows the empty line")
	}
	lines := strings.Split(string(head), "\n")
	old, found := strings.CutPrefix(lines[0], "old ")
	if !found {
		return Submission{}, malformed("line 1 does not begin with \"old \"")
	}
	if len(lines)-1 > MaxProof {
		return Submission{}, malformed("a proof of %d lines is above %d", len(lines)-1, MaxProof)
	}
	s := Submission{Note: text}
	var err error
	if s.Old, err = parseSize("line 1: old size", old); err != nil {
		return Submission{}, err
	}
	for i, line := range lines[1:] {
		hash, err := parseHash(fmt.Sprintf("line %d", i+2), line)
		if err != nil {
			return Submission{}, err
		}
		s.Proof = append(s.Proof, hash)
	}
	return s, nil
}
