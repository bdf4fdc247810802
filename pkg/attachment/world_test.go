package attachment_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"testing"

	"github.com/tripoint/tripoint/pkg/attachment"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// text is a file that anybody can make: byte i is the low 8 bits of i*i + i>>7.
func text(size int) []byte {
	made := make([]byte, size)
	for i := range made {
		made[i] = byte(i*i + i>>7)
	}
	return made
}

func key(n byte) attachment.Key { return attachment.Key(bytes.Repeat([]byte{n}, 32)) }

// closed is a file's entry and its chunks.
func closed(t testing.TB, key attachment.Key, text []byte) (*caseworkv1.Attachment, [][]byte) {
	t.Helper()
	size := uint64(len(text))
	a := &caseworkv1.Attachment{Name: "รูปถ่าย 1.jpg", MediaType: "image/jpeg", Size: size, Key: key[:]}
	var chunks [][]byte
	for n := range attachment.Chunks(size) {
		piece := text[n*attachment.PieceSize:][:attachment.Piece(size, n)]
		chunk, err := attachment.Seal(key, size, n, piece)
		if err != nil {
			t.Fatal(err)
		}
		name := attachment.NameOf(chunk)
		a.Chunks, chunks = append(a.Chunks, name[:]), append(chunks, chunk)
	}
	return a, chunks
}

// read is the entry in its form.
func read(t testing.TB, a *caseworkv1.Attachment) attachment.File {
	t.Helper()
	file, err := attachment.Read(a)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// specified makes a chunk by the specification alone, with any nonce and any size, as an
// attacker who has the key does.
func specified(key attachment.Key, number uint64, last byte, size uint64, piece []byte) []byte {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, 12)
	binary.BigEndian.PutUint64(nonce[3:11], number)
	nonce[11] = last
	return aead.Seal(nil, nonce, piece, data(size))
}

func data(size uint64) []byte {
	label := "tripoint/v1/attachment"
	out := binary.BigEndian.AppendUint64(nil, 2)
	out = append(binary.BigEndian.AppendUint64(out, uint64(len(label))), label...)
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(out, 8), size)
}

// names names chunks, whatever is in them.
func names(a *caseworkv1.Attachment, chunks ...[]byte) {
	a.Chunks = nil
	for _, chunk := range chunks {
		name := sha256.Sum256(chunk)
		a.Chunks = append(a.Chunks, name[:])
	}
}
