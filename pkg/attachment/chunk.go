package attachment

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
)

// Bounds of the wire format, in bytes.
const (
	PieceSize = 128 << 10            // of the file in one chunk; the last may be shorter
	Overhead  = 16                   // of a chunk over its piece
	ChunkSize = PieceSize + Overhead // the largest chunk
	MaxSize   = 64 << 20             // the largest file
	MaxChunks = MaxSize / PieceSize
	keySize   = 32
)

// Key opens one file.
type Key [keySize]byte

// NewKey draws a key. crypto/rand does not fail: it ends the process where the system
// has no randomness.
func NewKey() (key Key) {
	_, _ = rand.Read(key[:])
	return key
}

// Format keeps the key out of logs and errors.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[file key]") }

// Chunks is how many chunks a file of size bytes has.
func Chunks(size uint64) int { return int((size + PieceSize - 1) / PieceSize) }

// Piece is how many bytes of a file of size bytes chunk number holds; 0 where it has no such chunk.
func Piece(size uint64, number int) int {
	switch last := Chunks(size) - 1; {
	case number < 0 || number > last:
		return 0
	case number < last:
		return PieceSize
	default:
		return int(size - uint64(last)*PieceSize)
	}
}

// Seal makes chunk number of a file of size bytes. piece is exactly what lies there in
// the file: with another piece for the same number the key would be used twice.
func Seal(key Key, size uint64, number int, piece []byte) ([]byte, error) {
	if size > MaxSize || len(piece) == 0 || len(piece) != Piece(size, number) {
		return nil, fmt.Errorf("sealing chunk %d of a file of %d bytes: %d bytes of it, want %d", number, size, len(piece), Piece(size, number))
	}
	aead, err := newGCM(key)
	if err != nil {
		return nil, fmt.Errorf("sealing chunk %d: %w", number, err)
	}
	return aead.Seal(nil, nonce(size, number), piece, bound(size)), nil
}

// open is the piece in a chunk whose name was compared.
func open(key Key, size uint64, number int, chunk []byte) ([]byte, error) {
	aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, nonce(size, number), chunk, bound(size))
}

func nonce(size uint64, number int) []byte {
	n := make([]byte, 12)
	binary.BigEndian.PutUint64(n[3:], uint64(number))
	if number == Chunks(size)-1 {
		n[11] = 1
	}
	return n
}

func bound(size uint64) []byte { return pae.Encode(pae.Attachment, pae.Uint64(size)) }

func newGCM(key Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// OpenOne is the piece in one chunk of a file that no section names yet.
func OpenOne(key Key, size uint64, number int, name event.Digest, chunk []byte) ([]byte, error) {
	if size > MaxSize || Piece(size, number) == 0 || NameOf(chunk) != name {
		return nil, fmt.Errorf("chunk %d: %w", number, Altered)
	}
	piece, err := open(key, size, number, chunk)
	if err != nil || len(piece) != Piece(size, number) {
		return nil, fmt.Errorf("chunk %d: %w", number, Broken)
	}
	return piece, nil
}
