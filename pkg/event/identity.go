package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tripoint/tripoint/pkg/pae"
)

// Digest is a SHA-256 digest.
type Digest [32]byte

// DigestOf is the digest of exact bytes.
func DigestOf(data []byte) Digest { return sha256.Sum256(data) }

// String is the digest in lower-case hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// KeyID identifies a public key in one role; see KeyIDOf.
type KeyID [32]byte

// String is the identifier in lower-case hexadecimal.
func (k KeyID) String() string { return hex.EncodeToString(k[:]) }

// Role is what a key is for. A key in two roles has two identifiers, so a
// signature given in one role never counts in another.
type Role string

// The roles of keys that sign.
const (
	RolePublisher Role = "publisher"
	RoleNotary    Role = "notary"
	RoleMirror    Role = "mirror"
	RoleRoot      Role = "root"
)

// KeyIDOf is SHA-256 of PAE(tripoint/v1/key, role, public key).
func KeyIDOf(role Role, public ed25519.PublicKey) KeyID {
	return sha256.Sum256(pae.Encode(pae.Key, []byte(role), public))
}

// ID is an event's identifier: a UUIDv7 (RFC 9562). Along one chain identifiers
// strictly increase, so an identifier can never be used for other content.
type ID [16]byte

// String is the identifier in the text form of RFC 9562.
func (id ID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}

// Less orders identifiers by time, then by their further bits.
func (id ID) Less(other ID) bool {
	for i := range id {
		if id[i] != other[i] {
			return id[i] < other[i]
		}
	}
	return false
}

// ParseID reads the text form: 36 characters, lower case, version 7.
func ParseID(text string) (ID, error) {
	var id ID
	if len(text) != 36 {
		return id, fmt.Errorf("event id %q: want the 36 characters of a UUID", text)
	}
	raw, err := hex.DecodeString(text[0:8] + text[9:13] + text[14:18] + text[19:23] + text[24:36])
	if err != nil {
		return id, fmt.Errorf("event id %q: not hexadecimal", text)
	}
	id = ID(raw)
	if id.String() != text {
		return ID{}, fmt.Errorf("event id %q: not in the form of RFC 9562 (lower case, dashes in place)", text)
	}
	return id, id.check()
}

func (id ID) check() error {
	if id[6]>>4 != 7 || id[8]>>6 != 2 {
		return fmt.Errorf("event id %s: not a UUID of version 7", id)
	}
	return nil
}

// NextID is the identifier that follows last: the time now in milliseconds and
// random bits, or last plus one where the clock has not moved on or was set back.
func NextID(now time.Time, random [10]byte, last ID) ID {
	var id ID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(max(now.UnixMilli(), 0))) // a clock before 1970 would wrap to the far future
	copy(id[:6], ms[2:])
	copy(id[6:], random[:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	if last.Less(id) {
		return id
	}
	return last.successor()
}

// successor adds one to the 74 free bits and the time above them, stepping over
// the version and variant bits.
func (id ID) successor() ID {
	for i := len(id) - 1; i >= 0; i-- {
		fixed, mask := byte(0), byte(0xff)
		switch i {
		case 6:
			fixed, mask = 0x70, 0x0f
		case 8:
			fixed, mask = 0x80, 0x3f
		}
		free := (id[i] + 1) & mask
		id[i] = fixed | free
		if free != 0 {
			break
		}
	}
	return id
}
