package translog

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Checkpoint states the root of the log's tree at one size, and the registry that
// its first leaves make. It is C2SP tlog-checkpoint with one extension line.
type Checkpoint struct {
	Origin   string // names the log; also its notary's key name
	Size     uint64 // leaves, at most MaxSize
	Root     Hash
	Registry Hash // head of the chain over the registry's updates below Size, see registry.State.Policies
}

// maxName is the longest origin or country that is accepted, in bytes.
const maxName = 255

// registryWord begins the extension line.
const registryWord = "registry "

// Text is the note text: origin, size, root and registry, a line each.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\n%s%s\n", c.Origin, c.Size,
		base64.StdEncoding.EncodeToString(c.Root[:]), registryWord, base64.StdEncoding.EncodeToString(c.Registry[:]))
}

// check refuses a checkpoint whose text ParseCheckpoint would refuse.
func (c Checkpoint) check() error {
	if err := checkName("origin", c.Origin); err != nil {
		return err
	}
	return checkSize(c.Size)
}

// ParseCheckpoint reads what Text writes and nothing else: every accepted text
// is the Text of its checkpoint. Its errors are *Malformed.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.SplitN(text, "\n", 6)
	if len(lines) != 5 || lines[4] != "" {
		return Checkpoint{}, malformed("a checkpoint has four lines, each with its end")
	}
	size, err := strconv.ParseUint(lines[1], 10, 64)
	if err != nil || strconv.FormatUint(size, 10) != lines[1] {
		return Checkpoint{}, malformed("checkpoint size is not a plain decimal number")
	}
	root, err := parseHash("checkpoint root", lines[2])
	if err != nil {
		return Checkpoint{}, err
	}
	head, ok := strings.CutPrefix(lines[3], registryWord)
	if !ok {
		return Checkpoint{}, malformed("the fourth line of a checkpoint is not its registry")
	}
	registry, err := parseHash("checkpoint registry", head)
	if err != nil {
		return Checkpoint{}, err
	}
	c := Checkpoint{Origin: lines[0], Size: size, Root: root, Registry: registry}
	if err := c.check(); err != nil {
		return Checkpoint{}, err
	}
	if c.Text() != text {
		// base64 skips carriage returns; whatever else it may come to skip is caught here too.
		return Checkpoint{}, malformed("checkpoint has another spelling than its own")
	}
	return c, nil
}

// checkName refuses what cannot be (part of) the name of a note key: note's own
// rule, and no control characters, which no note can carry.
func checkName(what, name string) error {
	bad := func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || r == '+' }
	switch {
	case name == "":
		return malformed("%s is empty", what)
	case len(name) > maxName:
		return malformed("%s is longer than %d bytes", what, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, bad):
		return malformed("%s has a space, a plus, a control character or is not UTF-8", what)
	}
	return nil
}
