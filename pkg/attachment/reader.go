package attachment

import (
	"errors"
	"fmt"
	"io"
)

// Reader reads a file out of chunks, from any place on. It keeps the piece that it
// opened last. It is not for concurrent use.
type Reader struct {
	file   File
	fetch  func(number int) ([]byte, error)
	offset int64
	held   int // number of piece
	piece  []byte
}

// NewReader reads file. fetch brings chunk number as it lies with whoever has it; the reader compares it.
func NewReader(file File, fetch func(number int) ([]byte, error)) *Reader {
	return &Reader{file: file, fetch: fetch, held: -1}
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if r.offset >= int64(r.file.Size) {
		return 0, io.EOF
	}
	n, err := r.part(p, r.offset)
	r.offset += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt, but not for concurrent use.
func (r *Reader) ReadAt(p []byte, offset int64) (n int, err error) {
	if offset < 0 {
		return 0, errors.New("reading a file: a place before its beginning")
	}
	for n < len(p) && err == nil {
		if offset+int64(n) >= int64(r.file.Size) {
			return n, io.EOF
		}
		var some int
		some, err = r.part(p[n:], offset+int64(n))
		n += some
	}
	return n, err
}

// Seek implements io.Seeker.
func (r *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += int64(r.file.Size)
	default:
		return 0, fmt.Errorf("seeking in a file: whence %d", whence)
	}
	if offset < 0 {
		return 0, errors.New("seeking in a file: a place before its beginning")
	}
	r.offset = offset
	return offset, nil
}

// part copies what one piece has from offset on. offset is inside the file.
func (r *Reader) part(p []byte, offset int64) (int, error) {
	number := int(offset / PieceSize)
	if r.held != number {
		chunk, err := r.fetch(number)
		if err != nil {
			return 0, err
		}
		piece, err := r.file.Open(number, chunk)
		if err != nil {
			return 0, err
		}
		r.held, r.piece = number, piece
	}
	return copy(p, r.piece[offset%PieceSize:]), nil
}
