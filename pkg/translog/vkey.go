package translog

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// VKey is the public key of whoever signs notes, as parties tell it each other:
// C2SP signed-note's verifier key, "<name>+<key hash>+<base64(type || key)>".
type VKey struct {
	Name    string
	Key     ed25519.PublicKey
	Cosigns bool // timestamped cosignatures (type 0x04), else Ed25519 over the text (0x01)
}

// NotaryVKey is the key under which a log's checkpoints are verified.
func NotaryVKey(origin string, key ed25519.PublicKey) VKey {
	return VKey{Name: NotaryName(origin), Key: key}
}

func (k VKey) alg() byte {
	if k.Cosigns {
		return algCosignature
	}
	return algEd25519
}

// ID is the key hash, which stands in signature lines: 4 bytes in lowercase hexadecimal.
func (k VKey) ID() string { return fmt.Sprintf("%08x", keyHash(k.Name, k.alg(), k.Key)) }

// String is the text that ParseVKey reads.
func (k VKey) String() string {
	key := append([]byte{k.alg()}, k.Key...)
	return k.Name + "+" + k.ID() + "+" + base64.StdEncoding.EncodeToString(key)
}

// Equal reports whether k and l accept the same signatures.
func (k VKey) Equal(l VKey) bool {
	return k.Name == l.Name && k.Cosigns == l.Cosigns && bytes.Equal(k.Key, l.Key)
}

// ParseVKey reads what String writes and nothing else. Its errors are *Malformed.
func ParseVKey(text string) (VKey, error) {
	name, rest, _ := strings.Cut(text, "+")
	hash, encoded, _ := strings.Cut(rest, "+") // base64 has pluses too
	if err := checkName("key name", name); err != nil {
		return VKey{}, err
	}
	data, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || len(data) != 1+ed25519.PublicKeySize {
		return VKey{}, malformed("key of %.64q is not 33 bytes in standard base64", name)
	}
	if data[0] != algEd25519 && data[0] != algCosignature {
		return VKey{}, malformed("key of %.64q has type %#02x, which is neither Ed25519 (0x01) nor a cosigner's (0x04)", name, data[0])
	}
	k := VKey{Name: name, Key: data[1:], Cosigns: data[0] == algCosignature}
	if k.ID() != hash {
		return VKey{}, malformed("key of %.64q has hash %s, not %.16q", name, k.ID(), hash)
	}
	if k.String() != text {
		return VKey{}, malformed("key of %.64q has another spelling than its own", name)
	}
	return k, nil
}

// check refuses a key that ParseVKey would refuse.
func (k VKey) check() error {
	if len(k.Key) != ed25519.PublicKeySize {
		return malformed("key of %.64q has %d bytes, not %d", k.Name, len(k.Key), ed25519.PublicKeySize)
	}
	return checkName("key name", k.Name)
}

func (k VKey) verifier() note.Verifier {
	v := noteVerifier{name: k.Name, hash: keyHash(k.Name, k.alg(), k.Key)}
	v.verify = func(text, signature []byte) bool { return ed25519.Verify(k.Key, text, signature) }
	if k.Cosigns {
		v.verify = func(text, signature []byte) bool {
			if len(signature) != cosignatureSize {
				return false
			}
			t := binary.BigEndian.Uint64(signature)
			return t <= math.MaxInt64 && ed25519.Verify(k.Key, cosigned(t, text), signature[8:])
		}
	}
	return v
}

// Cosignature finds a cosigner's signature of a note among the signature lines that
// it answered with, and returns its line alone, and its time in seconds since 1970.
// Lines of other keys are passed over. Errors: *BadSignature, *Malformed.
func (k VKey) Cosignature(signed, lines []byte) (line []byte, unixSeconds uint64, err error) {
	fail := func(err error) ([]byte, uint64, error) { return nil, 0, err }
	if err := k.check(); err != nil {
		return fail(err)
	}
	if !k.Cosigns {
		return fail(malformed("%.64q is no cosigner's key", k.Name))
	}
	split := bytes.LastIndex(signed, []byte("\n\n"))
	if split < 0 {
		return fail(malformed("not a signed note"))
	}
	text := signed[:split+1]
	// Whole lines, and none of them empty: else what was verified would be another text.
	if len(lines) == 0 || lines[0] == '\n' || lines[len(lines)-1] != '\n' || bytes.Contains(lines, []byte("\n\n")) {
		return fail(malformed("not signature lines"))
	}
	n, err := openKnown(bytes.Join([][]byte{text, lines}, []byte("\n")), k.verifier())
	if errors.Is(err, errUnsigned) {
		return fail(&BadSignature{Name: k.Name})
	}
	if err != nil {
		return fail(err)
	}
	if n.Text != string(text) || len(n.Sigs) != 1 {
		return fail(malformed("not one signature of the note's own text"))
	}
	unixSeconds, err = cosignatureTime(n.Sigs[0])
	return fmt.Appendf(nil, "— %s %s\n", n.Sigs[0].Name, n.Sigs[0].Base64), unixSeconds, err
}
