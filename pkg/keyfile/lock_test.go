package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

const secret = "the secret itself"

func sealed(t testing.TB, lock Lock) []byte {
	t.Helper()
	content, err := lock.seal([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// forRecipient is an age file for a key instead of a passphrase.
func forRecipient(t testing.TB) []byte {
	t.Helper()
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := age.Encrypt(&out, identity.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, secret)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// unarmored is the binary form of a sealed file.
func unarmored(t testing.TB, lock Lock) []byte {
	t.Helper()
	recipient, err := age.NewScryptRecipient(*lock.passphrase)
	if err != nil {
		t.Fatal(err)
	}
	recipient.SetWorkFactor(lock.made)
	var out bytes.Buffer
	w, err := age.Encrypt(&out, recipient)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, secret)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestBothFormsOpen(t *testing.T) {
	for name, content := range map[string][]byte{"armored": sealed(t, cheap("pass")), "binary": unarmored(t, cheap("pass"))} {
		if got, err := cheap("pass").open(content); err != nil || string(got) != secret {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestEachMistakeHasItsWords(t *testing.T) {
	pass := cheap("pass")
	costly := pass
	costly.made = 5
	flipped := unarmored(t, pass)
	flipped[len(flipped)-1] ^= 1
	for _, c := range []struct {
		name    string
		lock    Lock
		content []byte
		want    error
	}{
		{"sealed, opened unsealed", Unsealed, sealed(t, pass), errSealed},
		{"binary, opened unsealed", Unsealed, unarmored(t, pass), errSealed},
		{"not sealed, opened with a passphrase", pass, []byte(secret), errUnsealed},
		{"empty, opened with a passphrase", pass, nil, errUnsealed},
		{"another passphrase", cheap("other"), sealed(t, pass), errWrong},
		{"one bit flipped", pass, flipped, errDamaged},
		{"cut", pass, unarmored(t, pass)[:180], errDamaged},
		{"armor cut", pass, sealed(t, pass)[:100], errDamaged},
		{"header alone", pass, binary, errDamaged},
		{"quoting its content", pass, append(bytes.Clone(binary), "-> "+secret+"\x01\n"...), errDamaged},
		{"for a recipient", pass, forRecipient(t), errOther},
		{"too much work", pass, sealed(t, costly), errCostly},
		{"far too much work", pass, bytes.Replace(unarmored(t, pass), []byte(" 2\n"), []byte(" 30\n"), 1), errCostly},
		{"nobody said how", Lock{}, []byte(secret), errNoLock},
	} {
		got, err := c.lock.open(c.content)
		if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %q, %v; want %v", c.name, got, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "pass ")) {
			t.Errorf("%s: the error shows a secret: %v", c.name, err)
		}
	}
}

func TestNothingIsKeptWithoutALock(t *testing.T) {
	for name, lock := range map[string]Lock{"zero": {}, "empty passphrase": Passphrase(nil)} {
		path := filepath.Join(t.TempDir(), "a.key")
		if _, err := Signer(path, lock); err == nil {
			t.Errorf("%s: a key was made", name)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file was left", name)
		}
	}
}

func TestPassphraseIsNotPrinted(t *testing.T) {
	lock := Passphrase([]byte("hunter2"))
	type config struct {
		Lock  Lock
		inner Lock
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{lock, &lock, config{lock, lock}, &config{lock, lock}} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74") || strings.Contains(text, "104 117") {
				t.Errorf("%s of %T prints %s", verb, value, text)
			}
		}
	}
	if fmt.Sprint(lock, Unsealed, Lock{}) != "passphrase unsealed no lock" {
		t.Errorf("locks print as %v", []Lock{lock, Unsealed, {}})
	}
}

func TestPassphraseFile(t *testing.T) {
	for content, says := range map[string]string{
		"one two\n": "", "one two": "", "one two\r\n": "",
		"": "holds no passphrase", "\n": "holds no passphrase", "one two\nthree\n": "more than one line", "one two\n\n": "more than one line",
	} {
		path := filepath.Join(t.TempDir(), "passphrase")
		must(t, os.WriteFile(path, []byte(content), 0o600))
		lock, err := PassphraseFile(path)
		switch {
		case says == "" && (err != nil || *lock.passphrase != "one two"):
			t.Errorf("%q: %v", content, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v; want %q", content, err, says)
		}
		must(t, os.Chmod(path, 0o440))
		if _, err := PassphraseFile(path); (err == nil) != (says == "") {
			t.Errorf("%q as a service manager hands it over: %v", content, err)
		}
		must(t, os.Chmod(path, 0o644))
		if _, err := PassphraseFile(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%q for all to read: %v", content, err)
		}
	}
}

// TestRealCostOpens is the one test at the cost that files are made with.
func TestRealCostOpens(t *testing.T) {
	lock := Passphrase([]byte("pass"))
	content := sealed(t, lock)
	if got, err := lock.open(content); err != nil || string(got) != secret {
		t.Errorf("%q, %v", got, err)
	}
}

// FuzzOpen: no file makes a role crash, wait, or take what was not sealed with
// its passphrase. What opens is the one sealed message, in either form.
func FuzzOpen(f *testing.F) {
	lock := cheap("pass")
	f.Add(sealed(f, lock))
	f.Add(unarmored(f, lock))
	f.Add(forRecipient(f))
	f.Add([]byte(secret))
	f.Add(binary)
	f.Add(armored)
	f.Fuzz(func(t *testing.T, content []byte) {
		if got, err := lock.open(content); err == nil && string(got) != secret {
			t.Errorf("opened %q", got)
		}
		if got, err := Unsealed.open(content); err == nil && !bytes.Equal(got, content) {
			t.Errorf("unsealed content was changed to %q", got)
		}
	})
}
