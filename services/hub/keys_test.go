package hub

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/keyfile"
)

func publicKey(t *testing.T, s seed, err error) string {
	t.Helper()
	key, err := public(s, err)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// all are the public keys of a few names, by what they are for.
func all(t *testing.T, keys keyring) map[string]string {
	t.Helper()
	found := map[string]string{}
	operator, err := keys.operator()
	found["operator"] = publicKey(t, operator, err)
	for _, name := range []string{"", "XA", "XB", "operator", "hub"} {
		account, err := keys.account(name)
		found["account "+name] = publicKey(t, account, err)
		user, err := keys.user(name)
		found["user "+name] = publicKey(t, user, err)
	}
	return found
}

func TestOneSecretGivesOneSetOfKeys(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	path, none := filepath.Join(directory, "keys", "broker.key"), filepath.Join(directory, "none")
	made, err := openKeyring(path, keyfile.Unsealed, none)
	if err != nil {
		t.Fatal(err)
	}
	again, err := openKeyring(path, keyfile.Unsealed, none)
	if err != nil {
		t.Fatal(err)
	}
	other, err := openKeyring(filepath.Join(directory, "other"), keyfile.Unsealed, none)
	if err != nil {
		t.Fatal(err)
	}
	first, second, third := all(t, made), all(t, again), all(t, other)
	used := map[string]string{}
	for what, key := range first {
		if second[what] != key {
			t.Errorf("%s: the same secret gives two keys", what)
		}
		if third[what] == key {
			t.Errorf("%s: two secrets give one key", what)
		}
		// The kind is in front and in the checksum behind; the key must differ without both.
		if with := used[key[2:52]]; with != "" {
			t.Errorf("%s and %s have one key", what, with)
		}
		used[key[2:52]] = what
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("%d files for all keys, error %v; want one", len(entries), err)
	}
}

// Known answers: another version of the hub must find the same accounts.
func TestDerivedKeysAreFixed(t *testing.T) {
	t.Parallel()
	keys := all(t, keyring{secret: bytes.Repeat([]byte{7}, secretSize)})
	for what, want := range map[string]string{
		"operator":   "OCWB37VEOY36UNYTCPN75STQXPV6Q4JJGPEB4S7A64ITM2CUBFUT44PE",
		"account XA": "ABBQF4VUJXVFDKYI4TZNL4FQHTRK4JZT4YKKZEJ4HJGCP6VJPFA7RRRO",
		"user hub":   "UAGJCDFIJQWAOTFED4ABFENRXCQ7T56TMMRLF2QLYHAV7NNQP3K6JC6Z",
	} {
		if keys[what] != want {
			t.Errorf("%s is %s, want %s", what, keys[what], want)
		}
	}
}

func TestLostSecretIsNotReplacedBesideStreams(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	streams := filepath.Join(directory, "streams")
	if err := os.MkdirAll(filepath.Join(streams, "jetstream"), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(directory, "broker.key")
	if _, err := openKeyring(path, keyfile.Unsealed, streams); err == nil || !strings.Contains(err.Error(), "restore it from a copy") {
		t.Errorf("openKeyring = %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a new secret was made")
	}
}

func TestSecretOfAnotherSizeIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "broker.key")
	if err := keyfile.Put(path, keyfile.Unsealed, make([]byte, 31)); err != nil {
		t.Fatal(err)
	}
	if _, err := openKeyring(path, keyfile.Unsealed, "none"); err == nil || !strings.Contains(err.Error(), "31 bytes, want 32") {
		t.Errorf("openKeyring = %v", err)
	}
}

// Known answers, made with nats-io/nkeys: the text form is not
// ours, and the key that is read from it must be.
func TestSeedHasTheTextFormOfNATS(t *testing.T) {
	t.Parallel()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)
	}
	for _, known := range []struct {
		role       byte
		text, says string
	}{
		{operatorRole, "SOAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H2AJA", "OAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QZVT"},
		{accountRole, "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI", "AAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3QPZV"},
		{userRole, "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y", "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK"},
	} {
		made := newSeed(known.role, raw)
		if string(made) != known.text {
			t.Errorf("seed %s, want %s", made, known.text)
		}
		if key := publicKey(t, made, nil); key != known.says {
			t.Errorf("the key of %s is %s, want %s", known.text, key, known.says)
		}
		for i := range made {
			damaged := slices.Clone(made)
			damaged[i] ^= 1
			if _, err := damaged.public(); err == nil {
				t.Errorf("%s with another letter at %d is taken for a key", known.text, i)
			}
		}
	}
}
