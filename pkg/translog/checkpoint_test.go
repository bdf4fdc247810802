package translog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"
)

func TestCheckpointRoundTrip(t *testing.T) {
	for _, c := range []Checkpoint{
		{Origin: origin, Size: 0},
		{Origin: "ü", Size: 1, Root: Hash{1, 2, 3}},
		{Origin: origin, Size: MaxSize, Root: testLeaf(7), Registry: testLeaf(8)},
	} {
		got, err := ParseCheckpoint(c.Text())
		if err != nil {
			t.Fatalf("%q: %v", c.Text(), err)
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Errorf("%q: %s", c.Text(), diff)
		}
	}
}

func TestCheckpointRefusesOtherSpellings(t *testing.T) {
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	urlRoot := base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 32))
	loose := root[:42] + "B=" // the last bits are not zero
	rest := "\nregistry " + root + "\n"
	if _, err := ParseCheckpoint("o\n1\n" + root + rest); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty":              "",
		"two lines":          "o\n1\n",
		"three lines":        "o\n1\n" + root + "\n",
		"no last end":        strings.TrimSuffix("o\n1\n"+root+rest, "\n"),
		"another line":       "o\n1\n" + root + rest + "more\n",
		"an empty line more": "o\n1\n" + root + rest + "\n",
		"registry twice":     "o\n1\n" + root + rest + rest[1:],
		"another extension":  "o\n1\n" + root + "\nmore\n",
		"empty extension":    "o\n1\n" + root + "\n\n",
		"no word":            "o\n1\n" + root + "\n" + root + "\n",
		"another word":       "o\n1\n" + root + "\nRegistry " + root + "\n",
		"tab after the word": "o\n1\n" + root + "\nregistry\t" + root + "\n",
		"two spaces":         "o\n1\n" + root + "\nregistry  " + root + "\n",
		"no registry":        "o\n1\n" + root + "\nregistry \n",
		"registry first":     "o\n1" + rest + root + "\n",
		"31 bytes registry":  "o\n1\n" + root + "\nregistry " + base64.StdEncoding.EncodeToString(make([]byte, 31)) + "\n",
		"url registry":       "o\n1\n" + root + "\nregistry " + urlRoot + "\n",
		"loose registry":     "o\n1\n" + root + "\nregistry " + loose + "\n",
		"return in registry": "o\n1\n" + root + "\nregistry " + root[:8] + "\r" + root[8:] + "\n",
		"empty origin":       "\n1\n" + root + rest,
		"space in origin":    "a b\n1\n" + root + rest,
		"plus in origin":     "a+b\n1\n" + root + rest,
		"control in origin":  "a\x01\n1\n" + root + rest,
		"origin not UTF-8":   "a\xff\n1\n" + root + rest,
		"long origin":        strings.Repeat("a", 256) + "\n1\n" + root + rest,
		"leading zero":       "o\n01\n" + root + rest,
		"two zeros":          "o\n00\n" + root + rest,
		"plus sign":          "o\n+1\n" + root + rest,
		"minus sign":         "o\n-0\n" + root + rest,
		"underscore":         "o\n1_0\n" + root + rest,
		"hexadecimal":        "o\n0x1\n" + root + rest,
		"no size":            "o\n\n" + root + rest,
		"space before size":  "o\n 1\n" + root + rest,
		"above 64 bits":      "o\n18446744073709551616\n" + root + rest,
		"url base64":         "o\n1\n" + urlRoot + rest,
		"no padding":         "o\n1\n" + root[:43] + rest,
		"loose bits":         "o\n1\n" + loose + rest,
		"carriage return":    "o\n1\n" + root + "\r" + rest,
		"return inside root": "o\n1\n" + root[:8] + "\r" + root[8:] + rest,
		"31 bytes":           "o\n1\n" + base64.StdEncoding.EncodeToString(make([]byte, 31)) + rest,
		"33 bytes":           "o\n1\n" + base64.StdEncoding.EncodeToString(make([]byte, 33)) + rest,
	} {
		var bad *Malformed
		if c, err := ParseCheckpoint(text); !errors.As(err, &bad) {
			t.Errorf("%s: ParseCheckpoint = %+v, %v, want Malformed", name, c, err)
		}
	}
}

func TestOpenCheckpoint(t *testing.T) {
	l := newLog(t)
	l.add(5)
	good := l.sign(l.at(5))
	beside := string(good) + "— stranger " + base64.StdEncoding.EncodeToString(make([]byte, 12)) + "\n"
	for _, data := range []string{string(good), beside} {
		c, err := OpenCheckpoint([]byte(data), origin, l.policy.Notary)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.at(5), c); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := OpenCheckpoint(good, origin, l.policy.Notary[:31]); err == nil {
		t.Error("a short key was accepted")
	}
	if _, err := OpenCheckpoint(good, "", l.policy.Notary); err == nil {
		t.Error("an empty origin was accepted")
	}
}

func TestOpenCheckpointRefuses(t *testing.T) {
	l := newLog(t)
	l.add(5)
	good := string(l.sign(l.at(5)))
	line := good[strings.LastIndex(good, "\n\n")+2:]
	other, err := NewNotary(origin, testKey(9))
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := other.Sign(l.at(5))
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := NewNotary("log.example/other", testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	otherLog, err := elsewhere.Sign(Checkpoint{Origin: "log.example/other", Size: 5})
	if err != nil {
		t.Fatal(err)
	}
	bad, malformed := &BadSignature{}, &Malformed{}
	for _, test := range []struct {
		name string
		data string
		want error
	}{
		{"altered size", strings.Replace(good, "\n5\n", "\n6\n", 1), bad},
		{"another key", string(otherKey), bad},
		{"another log", string(otherLog), bad},
		{"a mirror's cosignature", string(l.cosign("AA", l.at(5), 1)), bad},
		{"no signature", good[:strings.LastIndex(good, "\n\n")+1], malformed},
		{"no signature line", strings.TrimSuffix(good, line), malformed},
		{"signed twice", good + line, malformed},
		{"no last end", strings.TrimSuffix(good, "\n"), malformed},
		{"hyphen for dash", strings.Replace(good, "— ", "- ", 1), malformed},
		{"carriage return", strings.Replace(good, line, strings.TrimSuffix(line, "\n")+"\r\n", 1), malformed},
		{"empty", "", malformed},
		{"two line ends", "\n\n", malformed},
		{"above 64 KiB", good + strings.Repeat("— stranger AAAAAAAA\n", MaxNote/20), malformed},
	} {
		_, err := OpenCheckpoint([]byte(test.data), origin, l.policy.Notary)
		if !sameKind(err, test.want) {
			t.Errorf("%s: error = %v, want %T", test.name, err, test.want)
		}
	}
}

// sameKind reports whether err is, or wraps, an error of want's kind.
func sameKind(err, want error) bool {
	switch want.(type) {
	case *Malformed:
		return errors.As(err, new(*Malformed))
	case *BadSignature:
		return errors.As(err, new(*BadSignature))
	case *Gap:
		return errors.As(err, new(*Gap))
	case *Rollback:
		return errors.As(err, new(*Rollback))
	case *Fork:
		return errors.As(err, new(*Fork))
	case *Mismatch:
		return errors.As(err, new(*Mismatch))
	case *Inconsistent:
		return errors.As(err, new(*Inconsistent))
	case *OtherRegistry:
		return errors.As(err, new(*OtherRegistry))
	}
	return errors.Is(err, want)
}

func TestNotarySignsOnlyItsLog(t *testing.T) {
	l := newLog(t)
	if _, err := l.notary.Sign(Checkpoint{Origin: "log.example/other"}); err == nil {
		t.Error("signed a checkpoint of another log")
	}
	if _, err := NewNotary("a b", testKey(1)); err == nil {
		t.Error("made a notary with a space in its name")
	}
	if _, err := NewNotary(origin, nil); err == nil {
		t.Error("made a notary without a key")
	}
}

// What the notary signs opens with package note's own verifier.
func TestNotaryAgreesWithNote(t *testing.T) {
	l := newLog(t)
	l.add(2)
	key, err := note.NewEd25519VerifierKey(NotaryName(origin), l.policy.Notary)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(l.sign(l.at(2)), note.VerifierList(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if n.Text != l.at(2).Text() {
		t.Errorf("text = %q", n.Text)
	}
}
