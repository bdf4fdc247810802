package translog

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// TreeHead is a checkpoint of any C2SP log, as a witness of many logs reads it.
// Unlike a Checkpoint, its origin may have spaces, and extension lines may follow,
// which nobody here interprets.
type TreeHead struct {
	Origin string // one line, at most 255 bytes
	Size   uint64 // leaves, at most MaxSize
	Root   Hash
	Text   string // all lines as they were signed
	Note   []byte // Text with the signatures that were verified
}

// EmptyTree is the head that a witness has of a log before it has seen any.
func EmptyTree(origin string) TreeHead { return TreeHead{Origin: origin, Root: emptyRoot} }

// ClaimedOrigin is the log that a signed note says that it is of. Nobody has
// verified it here: it chooses the keys. Errors: *Malformed.
func ClaimedOrigin(data []byte) (string, error) {
	if err := checkNote(data); err != nil {
		return "", err
	}
	origin, _, _ := strings.Cut(string(data), "\n")
	return origin, checkOrigin(origin)
}

func checkOrigin(origin string) error {
	switch {
	case origin == "":
		return malformed("origin is empty")
	case len(origin) > maxName:
		return malformed("origin is longer than %d bytes", maxName)
	case strings.ContainsFunc(origin, unicode.IsControl):
		return malformed("origin has a control character")
	}
	return nil
}

// OpenTreeHead verifies that one of a log's keys, or several, signed a note, and
// reads it. A signature that names one of them and does not verify is refused;
// signatures of strangers are passed over. Errors: *Malformed, *BadSignature.
func OpenTreeHead(data []byte, keys []VKey) (TreeHead, error) {
	var verifiers []note.Verifier
	for _, k := range keys {
		if err := k.check(); err != nil {
			return TreeHead{}, err
		}
		verifiers = append(verifiers, k.verifier())
	}
	n, err := openKnown(data, verifiers...)
	if errors.Is(err, errUnsigned) && len(keys) > 0 {
		return TreeHead{}, &BadSignature{Name: keys[0].Name}
	}
	if err != nil {
		return TreeHead{}, err
	}
	head, err := ParseTreeHead(n.Text)
	if err != nil {
		return TreeHead{}, err
	}
	head.Note = append([]byte(n.Text), '\n')
	for _, s := range n.Sigs {
		head.Note = fmt.Appendf(head.Note, "— %s %s\n", s.Name, s.Base64)
	}
	return head, nil
}

// ParseTreeHead reads the text of a checkpoint, C2SP tlog-checkpoint. Its errors are *Malformed.
func ParseTreeHead(text string) (TreeHead, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[len(lines)-1] != "" {
		return TreeHead{}, malformed("a checkpoint has at least three lines, each with its end")
	}
	for i, line := range lines[:len(lines)-1] {
		if line == "" {
			return TreeHead{}, malformed("line %d of a checkpoint is empty", i+1)
		}
	}
	head := TreeHead{Origin: lines[0], Text: text}
	if err := checkOrigin(head.Origin); err != nil {
		return TreeHead{}, err
	}
	var err error
	if head.Size, err = parseSize("checkpoint size", lines[1]); err != nil {
		return TreeHead{}, err
	}
	if head.Root, err = parseHash("checkpoint root", lines[2]); err != nil {
		return TreeHead{}, err
	}
	return head, nil
}

// parseSize reads a tree's size in its one spelling.
func parseSize(what, text string) (uint64, error) {
	size, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != text {
		return 0, malformed("%s is not a plain decimal number", what)
	}
	return size, checkSize(size)
}

// parseHash reads 32 bytes of base64 in their one spelling.
func parseHash(what, text string) (Hash, error) {
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(data) != tlog.HashSize || base64.StdEncoding.EncodeToString(data) != text {
		return Hash{}, malformed("%s is not 32 bytes in standard base64", what)
	}
	return Hash(data), nil
}

// openKnown opens a note that carries signatures of the verifiers, one or more.
// Errors: errUnsigned, *BadSignature, *Malformed.
func openKnown(data []byte, verifiers ...note.Verifier) (*note.Note, error) {
	if err := checkNote(data); err != nil {
		return nil, err
	}
	n, err := note.Open(data, note.VerifierList(verifiers...))
	if invalid, ok := errors.AsType[*note.InvalidSignatureError](err); ok {
		return nil, &BadSignature{Name: invalid.Name}
	}
	if _, ok := errors.AsType[*note.UnverifiedNoteError](err); ok {
		return nil, errUnsigned
	}
	if err != nil {
		return nil, malformed("%v", err)
	}
	return n, nil
}

// Witness cosigns the checkpoints of any log, for a body that is no member of it.
// It keeps no state: that it never cosigns a smaller tree, a second root or a tree
// that does not continue the last one is its owner's to ensure.
type Witness struct {
	vkey VKey
	key  crypto.Signer
}

// NewWitness makes a witness of an Ed25519 key. The name should be a URL without
// its scheme, C2SP tlog-cosignature.
func NewWitness(name string, key crypto.Signer) (*Witness, error) {
	if err := checkName("name of the witness", name); err != nil {
		return nil, err
	}
	public, err := publicKey(key)
	if err != nil {
		return nil, fmt.Errorf("making the witness %q: %w", name, err)
	}
	return &Witness{vkey: VKey{Name: name, Key: public, Cosigns: true}, key: key}, nil
}

// VKey is what others verify its cosignatures with.
func (w *Witness) VKey() VKey { return w.vkey }

// Cosign returns the signature line of a C2SP tlog-cosignature v1 over a head. The
// time is in seconds since 1970 and below 2^63.
func (w *Witness) Cosign(head TreeHead, unixSeconds uint64) ([]byte, error) {
	signer, err := newCosigner(w.vkey, w.key, unixSeconds)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: head.Text}, signer)
	if err != nil {
		return nil, fmt.Errorf("cosigning size %d: %w", head.Size, err)
	}
	return signed[bytes.LastIndex(signed, []byte("\n\n"))+2:], nil
}
