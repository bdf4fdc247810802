package attachment

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tripoint/tripoint/pkg/event"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// MaxName is the longest name of a file, in characters.
const MaxName = 200

// MaxFiles is how many files one section may have.
const MaxFiles = 16

// File is a file as a section names it, in its form.
type File struct {
	Name      string
	MediaType string // what its originator says; empty: nothing
	Size      uint64
	Chunks    []event.Digest
	Key       Key
}

// Read takes an entry of a section. Its error wraps Malformed and says what is wrong,
// never what is in it.
func Read(a *caseworkv1.Attachment) (File, error) {
	f := File{Name: a.GetName(), MediaType: a.GetMediaType(), Size: a.GetSize()}
	err := CheckName(f.Name)
	switch {
	case err != nil:
	case f.Size == 0 || f.Size > MaxSize:
		err = fmt.Errorf("size: %d bytes, want 1 to %d", f.Size, MaxSize)
	case len(a.GetKey()) != keySize:
		err = fmt.Errorf("key: %d bytes, want %d", len(a.GetKey()), keySize)
	case len(a.GetChunks()) != Chunks(f.Size):
		err = fmt.Errorf("chunks: %d for a file of %d bytes, want %d", len(a.GetChunks()), f.Size, Chunks(f.Size))
	}
	if err != nil {
		return File{}, fmt.Errorf("%w: %w", Malformed, err)
	}
	f.Key = Key(a.GetKey())
	for i, name := range a.GetChunks() {
		if len(name) != len(event.Digest{}) {
			return File{}, fmt.Errorf("%w: chunks[%d]: %d bytes, want 32", Malformed, i, len(name))
		}
		f.Chunks = append(f.Chunks, event.Digest(name))
	}
	return f, nil
}

// CheckName refuses what is not one line of text without a path. Its error does not repeat it.
func CheckName(name string) error {
	switch {
	case name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > MaxName:
		return fmt.Errorf("name: want 1 to %d characters of UTF-8", MaxName)
	case name == "." || name == ".." || strings.ContainsAny(name, `/\`):
		return errors.New("name: want a file's name without a path")
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }):
		return errors.New("name: want one line, without control or invisible characters")
	}
	return nil
}

// NameOf is the name of a chunk.
func NameOf(chunk []byte) event.Digest { return sha256.Sum256(chunk) }

// Open is the piece of the file in a chunk that came for number. It compares
// first, so that a Reason tells the hub's fault from the originator's.
func (f File) Open(number int, chunk []byte) ([]byte, error) {
	if err := f.Fits(number, chunk); err != nil {
		return nil, err
	}
	piece, err := open(f.Key, f.Size, number, chunk)
	if err != nil {
		return nil, fmt.Errorf("chunk %d of %d: %w", number, len(f.Chunks), Broken)
	}
	return piece, nil
}

// Fits compares a chunk that came for number with what the section names. It takes no
// key. An empty chunk is one that its originator has erased.
func (f File) Fits(number int, chunk []byte) error {
	if number < 0 || number >= len(f.Chunks) {
		return fmt.Errorf("chunk %d of %d: %w", number, len(f.Chunks), Missing)
	}
	name := NameOf(chunk)
	reason := Altered
	switch {
	case name == f.Chunks[number] && len(chunk) == Piece(f.Size, number)+Overhead:
		return nil
	case name == f.Chunks[number]:
		reason = Broken // its originator has named it so
	case len(chunk) == 0:
		reason = Erased
	case slices.Contains(f.Chunks, name):
		reason = Moved
	case len(chunk) != Piece(f.Size, number)+Overhead:
		reason = Cut
	}
	return fmt.Errorf("chunk %d of %d: %w", number, len(f.Chunks), reason)
}
