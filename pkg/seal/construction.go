package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/pae"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Sizes in bytes.
const (
	keySize   = 32
	tagSize   = 16
	idSize    = 16
	entrySize = keySize + tagSize
	frameSize = keySize + event.MaxSections
	encSize   = 1120 // ML-KEM-768 ciphertext and X25519 public key
	wrapSize  = encSize + keySize + tagSize
	roomSize  = 384 // more than what any content or entry is bound to
)

// Overhead is how many bytes a sealed section is longer than its content.
const Overhead = frameSize + tagSize

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

// sealContent is the ciphertext of a section and its tag. room is memory to work in.
func (s *slot) sealContent(room []byte, key *ContentKey, p *parts, text []byte) ([]byte, error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return nil, err
	}
	clear := make([]byte, 0, len(text)+Overhead)
	clear = append(append(append(clear, p.blind[:]...), p.of[:]...), text...)
	return aead.Seal(clear[:0], zeroNonce[:], clear, s.contentData(room)), nil
}

func (s *slot) openContent(key *ContentKey, sealed []byte) (p parts, text []byte, err error) {
	aead, err := newGCM(key[:])
	if err != nil {
		return p, nil, err
	}
	clear, err := aead.Open(nil, zeroNonce[:], sealed, s.contentData(nil))
	if err != nil || len(clear) < frameSize {
		return p, nil, errors.New("it does not open")
	}
	copy(p.blind[:], clear)
	copy(p.of[:], clear[keySize:])
	return p, clear[frameSize:], nil
}

// parts are the compartments of an event's sealed sections, in their order; zero behind the last. Each
// of these sections has them before its text, with a blind: without it nobody tries which they are.
type parts struct {
	blind [keySize]byte
	of    [event.MaxSections]byte
}

// digest is what the header says of them.
func (p *parts) digest(id event.ID) event.Digest {
	return sha256.Sum256(pae.Encode(pae.Parts, id[:], p.blind[:], p.of[:]))
}

// check holds parts against the header: they are the ones that it commits to, one for each of so many
// sealed sections, no two of one compartment, and that at a place is of the given one.
func (p *parts) check(e event.Verified, sealed, at int, compartment eventv1.Compartment) bool {
	if sealed > len(p.of) || p.digest(e.ID) != e.Parts || eventv1.Compartment(p.of[at]) != compartment {
		return false
	}
	for i, c := range p.of {
		there := c != 0
		if there != (i < sealed) || there && bytes.IndexByte(p.of[:i], c) >= 0 {
			return false
		}
	}
	return true
}

func (s *slot) contentData(room []byte) []byte {
	compartment := number(uint64(s.compartment))
	return pae.Append(room[:0], pae.Section, s.id[:], []byte(s.origin.Country), []byte(s.origin.Agency), []byte(s.origin.Audience),
		compartment[:], s.commitment[:])
}

// wrapKey appends an entry, the content key under its batch key, to out.
func (s *slot) wrapKey(out, room []byte, batchKey cipher.AEAD, key *ContentKey) []byte {
	nonce, data := s.entryData(room)
	return batchKey.Seal(slices.Grow(out, entrySize), nonce, key[:], data) // Seal itself would copy all before, for each
}

func (s *slot) unwrapKey(batchKey cipher.AEAD, wrapped []byte) (ContentKey, error) {
	nonce, data := s.entryData(nil)
	key, err := batchKey.Open(nil, nonce, wrapped, data)
	if err != nil || len(key) != keySize {
		return ContentKey{}, errors.New("it does not open")
	}
	return ContentKey(key), nil
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
