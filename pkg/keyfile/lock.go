package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// The cost of a passphrase: scrypt with N = 2^factor, r = 8, p = 1, so 2^factor
// KiB of memory.
const (
	factorMade = 18 // age's own: 256 MiB and about a second
	factorRead = 20 // the most that is accepted: a hostile file must not hang a role
)

// Lock says how a secret's file is sealed. The zero value is refused: whoever
// keeps a key says how.
type Lock struct {
	passphrase *string // by reference, so that printing what contains it shows an address
	unsealed   bool
	made, read int // work factors
}

// Unsealed leaves the secret to whoever reads the disk: for the pilot and tests.
var Unsealed = Lock{unsealed: true}

// Passphrase seals with a passphrase. An empty one is refused when it is used.
func Passphrase(passphrase []byte) Lock {
	text := string(passphrase)
	return Lock{passphrase: &text, made: factorMade, read: factorRead}
}

// PassphraseFile is the lock whose passphrase is the one line of a file that not
// everybody can read. Its group may: systemd's credentials and mounted secrets
// of Kubernetes show a mode of 0440.
func PassphraseFile(path string) (Lock, error) {
	text, err := read(path, 0o007)
	if err != nil {
		return Lock{}, fmt.Errorf("passphrase file: %w", err)
	}
	lock, err := PassphraseLine(text)
	if err != nil {
		return Lock{}, fmt.Errorf("passphrase file %s: %w", path, err)
	}
	return lock, nil
}

// PassphraseLine is the lock whose passphrase is the only line of text.
func PassphraseLine(text []byte) (Lock, error) {
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(line) == 0 {
		return Lock{}, errors.New("holds no passphrase: its first line is empty")
	}
	if bytes.ContainsAny(line, "\r\n\x00") {
		return Lock{}, errors.New("holds more than one line: want the passphrase alone")
	}
	return Passphrase(line), nil
}

// Format prints how the lock seals, and never with what.
func (l Lock) Format(state fmt.State, _ rune) {
	switch {
	case l.unsealed:
		io.WriteString(state, "unsealed")
	case l.passphrase != nil:
		io.WriteString(state, "passphrase")
	default:
		io.WriteString(state, "no lock")
	}
}

// errNoLock meets a program that forgot to say how.
var errNoLock = errors.New("nobody said how it is sealed: with a passphrase, or unsealed")

func (l Lock) check() error {
	switch {
	case l.unsealed:
		return nil
	case l.passphrase == nil:
		return errNoLock
	case *l.passphrase == "":
		return errors.New("the passphrase is empty")
	}
	return nil
}

// seal is the content of a secret's file.
func (l Lock) seal(secret []byte) ([]byte, error) {
	if err := l.check(); err != nil || l.unsealed {
		return secret, err
	}
	recipient, err := age.NewScryptRecipient(*l.passphrase)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	recipient.SetWorkFactor(l.made)
	var text bytes.Buffer
	lines := armor.NewWriter(&text)
	sealed, err := age.Encrypt(lines, recipient)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	_, err = sealed.Write(secret)
	if err := errors.Join(err, sealed.Close(), lines.Close()); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return text.Bytes(), nil
}

var (
	errSealed   = errors.New("is sealed with a passphrase: it cannot be opened unsealed, give the passphrase")
	errUnsealed = errors.New("is not sealed: anybody who reads the disk has the key; " +
		"seal it with age --passphrase --armor, or say unsealed")
	errWrong   = errors.New("the passphrase does not open it")
	errDamaged = errors.New("is damaged: restore it from a copy")
	errOther   = errors.New("is sealed, but not with a passphrase alone")
	errCostly  = fmt.Errorf("asks for too much work to open: its scrypt work factor is above %d", factorRead)
)

// The first bytes of an age file, armored and binary.
var (
	armored = []byte(armor.Header)
	binary  = []byte("age-encryption.org/v1\n")
)

func isSealed(content []byte) bool {
	return bytes.HasPrefix(content, armored) || bytes.HasPrefix(content, binary)
}

// open is the secret in a file's content. What age says of a file that it cannot
// read may quote the file, so the errors are our own.
func (l Lock) open(content []byte) ([]byte, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	switch sealed := isSealed(content); {
	case l.unsealed && sealed:
		return nil, errSealed
	case l.unsealed:
		return content, nil
	case !sealed:
		return nil, errUnsealed
	}
	identity, err := age.NewScryptIdentity(*l.passphrase)
	if err != nil {
		return nil, errWrong
	}
	identity.SetMaxWorkFactor(l.read)
	var from io.Reader = bytes.NewReader(content)
	if bytes.HasPrefix(content, armored) {
		from = armor.NewReader(from)
	}
	plain, err := age.Decrypt(from, bounded{identity, l.read})
	for _, known := range []error{errCostly, errOther} {
		if errors.Is(err, known) {
			return nil, known
		}
	}
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, errWrong
	}
	if err != nil {
		return nil, errDamaged
	}
	secret, err := io.ReadAll(plain)
	if err != nil {
		return nil, errDamaged
	}
	return secret, nil
}

// bounded names what a scrypt identity only describes: a file for other keys,
// and one that asks for too much work.
type bounded struct {
	identity age.Identity
	most     int
}

func (b bounded) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	if len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, errOther
	}
	if arguments := stanzas[0].Args; len(arguments) == 2 {
		if factor, err := strconv.ParseUint(arguments[1], 10, 64); err == nil && factor > uint64(b.most) {
			return nil, errCostly
		}
	}
	return b.identity.Unwrap(stanzas)
}
