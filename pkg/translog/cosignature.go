package translog

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// MirrorName is the note key name of a country's mirror.
func MirrorName(origin, country string) string { return origin + "/mirror/" + country }

// Mirror cosigns the checkpoints of one log for one country. It keeps no state:
// that it never cosigns a smaller tree or a second root for a size is its owner's to ensure.
type Mirror struct {
	origin, name string
	public       ed25519.PublicKey
	key          crypto.Signer
}

// NewMirror makes a mirror of an Ed25519 key.
func NewMirror(origin, country string, key crypto.Signer) (*Mirror, error) {
	if err := checkMirror(origin, country); err != nil {
		return nil, err
	}
	public, err := publicKey(key)
	if err != nil {
		return nil, fmt.Errorf("making the mirror of %q: %w", country, err)
	}
	return &Mirror{origin: origin, name: MirrorName(origin, country), public: public, key: key}, nil
}

// checkMirror refuses a country with a slash: two countries must not share a key name.
func checkMirror(origin, country string) error {
	if err := checkName("origin", origin); err != nil {
		return err
	}
	if strings.Contains(country, "/") {
		return malformed("country has a slash")
	}
	return checkName("country", country)
}

// Cosign returns the checkpoint as a note with a timestamped signature, C2SP
// tlog-cosignature v1. The time is in seconds since 1970 and below 2^63.
func (m *Mirror) Cosign(c Checkpoint, unixSeconds uint64) ([]byte, error) {
	signer, err := newCosigner(VKey{Name: m.name, Key: m.public, Cosigns: true}, m.key, unixSeconds)
	if err != nil {
		return nil, err
	}
	return signCheckpoint(c, m.origin, signer)
}

// newCosigner signs with the time.
func newCosigner(public VKey, key crypto.Signer, unixSeconds uint64) (note.Signer, error) {
	if unixSeconds > math.MaxInt64 {
		return nil, malformed("cosignature time %d is above 2^63-1", unixSeconds)
	}
	return noteSigner{
		name: public.Name,
		hash: keyHash(public.Name, algCosignature, public.Key),
		sign: func(text []byte) ([]byte, error) {
			signature, err := signEd25519(key, public.Key, cosigned(unixSeconds, text))
			if err != nil {
				return nil, err
			}
			return append(binary.BigEndian.AppendUint64(nil, unixSeconds), signature...), nil
		},
	}, nil
}

// cosigned is the message that a cosignature signs.
func cosigned(unixSeconds uint64, text []byte) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", unixSeconds, text)
}

// cosignatureSize is the time and an Ed25519 signature, in bytes.
const cosignatureSize = 8 + ed25519.SignatureSize

// mirrorVerifier verifies the cosignatures of one mirror.
func mirrorVerifier(origin, country string, key ed25519.PublicKey) note.Verifier {
	return VKey{Name: MirrorName(origin, country), Key: key, Cosigns: true}.verifier()
}

// cosignatureTime is the time in a verified signature, in seconds since 1970.
func cosignatureTime(s note.Signature) (uint64, error) {
	data, err := base64.StdEncoding.DecodeString(s.Base64)
	if err != nil || len(data) != 4+cosignatureSize {
		return 0, malformed("cosignature has %d bytes, not %d", len(data), 4+cosignatureSize)
	}
	return binary.BigEndian.Uint64(data[4:]), nil
}
