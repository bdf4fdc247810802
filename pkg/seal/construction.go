package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Sizes in bytes.
const (
	keySize   = 32
	tagSize   = 16
	idSize    = 16
	setSize   = 8
	entrySize = setSize + keySize + tagSize
	encSize   = 1120 // ML-KEM-768 ciphertext and X25519 public key
	wrapSize  = encSize + keySize + tagSize
	roomSize  = 384 // more than what any content or entry is bound to
)

// Overhead is how many bytes a sealed section is longer than its content.
const Overhead = tagSize

// ContentKey opens one section of one event. The zero key opens none: an entry that has it says that
// there is nothing of its compartment.
type ContentKey [keySize]byte

// Format keeps the key out of logs and errors.
func (ContentKey) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "[content key]") }

// slot is one section of one event, and what its content is bound to.
type slot struct {
	origin      event.Chain
	id          event.ID
	place       event.Place
	compartment eventv1.Compartment
	commitment  event.Digest
}

// commit is the commitment of a slot's header to key.
func (s *slot) commit(key *ContentKey) event.Digest {
	var room [160]byte
	compartment := number(uint64(s.compartment))
	return sha256.Sum256(pae.Append(room[:0], pae.Commitment, s.id[:], compartment[:], key[:]))
}

// sealContent appends the ciphertext and its tag to out. room is memory to work in.
func (s *slot) sealContent(out, room []byte, key *ContentKey, clear []byte) ([]byte, error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Seal(out, zeroNonce[:], clear, s.contentData(room)), nil
}

func (s *slot) openContent(key *ContentKey, sealed []byte) ([]byte, error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	return aead.Open(nil, zeroNonce[:], sealed, s.contentData(nil))
}

func (s *slot) contentData(room []byte) []byte {
	compartment := number(uint64(s.compartment))
	return pae.Append(room[:0], pae.Section, s.id[:], []byte(s.origin.Country), []byte(s.origin.Agency), []byte(s.origin.Audience),
		compartment[:], s.commitment[:])
}

// compartments is a set of them: bit c-1 is compartment c, from 1 to MaxCompartment.
type compartments uint64

func setOf(c eventv1.Compartment) compartments { return 1 << uint(c-1) }

// entry is what a record says of one event and compartment.
type entry struct {
	all compartments // of the event's sections that the record has keys of
	key ContentKey
}

// wrapEntry appends an entry under its batch key to out.
func (s *slot) wrapEntry(out, room []byte, batchKey cipher.AEAD, e *entry) []byte {
	var clear [setSize + keySize]byte
	binary.BigEndian.PutUint64(clear[:], uint64(e.all))
	copy(clear[setSize:], e.key[:])
	nonce, data := s.entryData(room)
	return batchKey.Seal(out, nonce, clear[:], data)
}

func (s *slot) unwrapEntry(batchKey cipher.AEAD, wrapped []byte) (entry, error) {
	nonce, data := s.entryData(nil)
	clear, err := batchKey.Open(nil, nonce, wrapped, data)
	if err != nil || len(clear) != setSize+keySize {
		return entry{}, errors.New("it does not open")
	}
	return entry{all: compartments(binary.BigEndian.Uint64(clear)), key: ContentKey(clear[setSize:])}, nil
}

// entryData is the nonce of an entry and what it is bound to.
func (s *slot) entryData(room []byte) (nonce, data []byte) {
	compartment, place := number(uint64(s.compartment)), number(s.place.Index)
	room = append(append(room[:0], 0, 0, 0, 0), place[:]...)
	both := pae.Append(room, pae.ContentKey, s.place.Batch[:], place[:], s.id[:], compartment[:])
	return both[:len(room)], both[len(room):]
}

// grantInfo is what the wrap of a batch key is bound to. public is the recipient's opening key.
func grantInfo(t *Terms, country string, compartment eventv1.Compartment, public []byte) []byte {
	label := pae.Grant
	if t.Recipient != "" {
		label = pae.Release
	}
	number, digest := number(uint64(compartment)), sha256.Sum256(public)
	return pae.Encode(label, []byte(t.Origin.Country), []byte(t.Origin.Agency), []byte(t.Origin.Audience), t.Batch[:],
		[]byte(country), number[:], digest[:], t.Grantor[:])
}

// wrapBatchKey is the HPKE encapsulated key, and the batch key under it with its tag.
func wrapBatchKey(public hpke.PublicKey, info, key []byte) ([]byte, error) {
	return hpke.Seal(public, hpke.HKDFSHA256(), hpke.AES256GCM(), info, key)
}

func unwrapBatchKey(private hpke.PrivateKey, info, wrapped []byte) (cipher.AEAD, error) {
	if private.KEM().ID() != hpke.MLKEM768X25519().ID() {
		return nil, fmt.Errorf("the private key is of KEM %#04x, want MLKEM768-X25519", private.KEM().ID())
	}
	key, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, wrapped)
	if err != nil || len(key) != keySize {
		return nil, errors.New("it does not open")
	}
	return newGCM(key)
}

// zeroNonce is the nonce of contents: their key is used once.
var zeroNonce [12]byte

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func number(n uint64) (out [8]byte) {
	binary.BigEndian.PutUint64(out[:], n)
	return out
}
