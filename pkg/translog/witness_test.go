package translog

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const witnessName = "witness.example/tripoint"

func newWitness(t testing.TB, b byte) *Witness {
	t.Helper()
	w, err := NewWitness(witnessName, testKey(b))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestVKeyHasOneSpelling(t *testing.T) {
	w := newWitness(t, 7).VKey()
	for _, k := range []VKey{w, NotaryVKey(origin, publicOf(testKey(1)))} {
		back, err := ParseVKey(k.String())
		if err != nil || !back.Equal(k) {
			t.Errorf("%s: %+v, %v", k, back, err)
		}
	}
	good := w.String()
	name, rest, _ := strings.Cut(good, "+")
	hash, key, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"empty":             "",
		"no key":            name + "+" + hash,
		"no name":           "+" + hash + "+" + key,
		"space in the name": "a b+" + hash + "+" + key,
		"another name":      "x" + good,
		"another hash":      name + "+00000000+" + key,
		"uppercase hash":    name + "+" + strings.ToUpper(hash) + "+" + key,
		"signed hash":       name + "++" + hash[1:] + "+" + key,
		"padding":           good + "=",
		"line end":          good + "\n",
		"return in the key": name + "+" + hash + "+" + key[:8] + "\r" + key[8:],
		"short key":         name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(raw[:32]),
		"long key":          name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append(raw, 0)),
		"type of ML-DSA":    name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{6}, raw[1:]...)),
		"type of the log":   name + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, raw[1:]...)),
	} {
		if k, err := ParseVKey(text); !sameKind(err, &Malformed{}) {
			t.Errorf("%s: %+v, %v", what, k, err)
		}
	}
}

func (l *testLog) head(size uint64) TreeHead {
	l.t.Helper()
	head, err := OpenTreeHead(l.sign(l.at(size)), []VKey{NotaryVKey(origin, l.policy.Notary)})
	if err != nil {
		l.t.Fatal(err)
	}
	return head
}

func TestTreeHeadsOfAnyLog(t *testing.T) {
	l := newLog(t)
	l.add(5)
	head, checkpoint := l.head(5), l.at(5)
	if head.Origin != origin || head.Size != 5 || head.Root != checkpoint.Root || head.Text != checkpoint.Text() || string(head.Note) != string(l.sign(checkpoint)) {
		t.Errorf("head = %+v", head)
	}
	root := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for text, want := range map[string]TreeHead{
		"go.sum database tree\n7\n" + root + "\n": {Origin: "go.sum database tree", Size: 7},
		"a+b\n0\n" + root + "\nmore\nand more\n":  {Origin: "a+b"},
	} {
		got, err := ParseTreeHead(text)
		want.Text = text
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{
		"", "o\n1\n", "o\n1\n" + root, "\n1\n" + root + "\n", "o\n1\n" + root + "\n\n", "o\n01\n" + root + "\n", "o\n+1\n" + root + "\n", "o\n-1\n" + root + "\n",
		"o\n1\n" + root + "\n\nx\n", "o\r\n1\n" + root + "\n", "o\n1\r\n" + root + "\n", "o\n1\n" + root + "\r\n", "o\n281474976710657\n" + root + "\n",
		"o\n18446744073709551616\n" + root + "\n", strings.Repeat("o", 256) + "\n1\n" + root + "\n", "o\n1\n" + root[:43] + "\n",
	} {
		if head, err := ParseTreeHead(text); !sameKind(err, &Malformed{}) {
			t.Errorf("%q: %+v, %v", text, head, err)
		}
	}
}

func TestOpenTreeHeadRefuses(t *testing.T) {
	l := newLog(t)
	l.add(5)
	known := []VKey{NotaryVKey(origin, l.policy.Notary)}
	good := string(l.sign(l.at(5)))
	for _, test := range []struct {
		name, note string
		keys       []VKey
		want       error
	}{
		{"another log's key", good, []VKey{NotaryVKey(origin, publicOf(testKey(9)))}, &BadSignature{}},
		{"no keys", good, nil, errUnsigned},
		{"altered", strings.Replace(good, "\n5\n", "\n6\n", 1), known, &BadSignature{}},
		{"a mirror's alone", string(l.cosign("AA", l.at(5), 1)), known, &BadSignature{}},
		{"signed twice", good + good[strings.LastIndex(good, "\n\n")+2:], known, &Malformed{}},
		{"unsigned", l.at(5).Text(), known, &Malformed{}},
		{"huge", good + strings.Repeat("— stranger AAAAAAAA\n", MaxNote/20), known, &Malformed{}},
		{"a short key", good, []VKey{{Name: origin, Key: l.policy.Notary[:31]}}, &Malformed{}},
	} {
		if _, err := OpenTreeHead([]byte(test.note), test.keys); !sameKind(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestWitnessCosigns(t *testing.T) {
	l := newLog(t)
	l.add(5)
	w := newWitness(t, 7)
	signed := l.sign(l.at(5))
	line, err := w.Cosign(l.head(5), 1_740_000_000)
	if err != nil {
		t.Fatal(err)
	}
	got, at, err := w.VKey().Cosignature(signed, line)
	if err != nil || string(got) != string(line) || at != 1_740_000_000 {
		t.Errorf("Cosignature = %q, %d, %v", got, at, err)
	}
	stranger := "— stranger " + base64.StdEncoding.EncodeToString(make([]byte, 76)) + "\n"
	if got, _, err := w.VKey().Cosignature(signed, []byte(stranger+string(line))); err != nil || string(got) != string(line) {
		t.Errorf("beside a stranger's: %q, %v", got, err)
	}
	// A text that goes on where ours ends is another text, correctly signed or not.
	longer := l.head(5)
	longer.Text += "\n— ours AAAAAAAA\n"
	smuggled, err := w.Cosign(longer, 1)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]struct {
		lines string
		want  error
	}{
		"nothing":              {"", &Malformed{}},
		"no line end":          {strings.TrimSuffix(string(line), "\n"), &Malformed{}},
		"an empty line before": {"\n" + string(line), &Malformed{}},
		"two":                  {string(line) + string(line), &Malformed{}},
		"a stranger's alone":   {stranger, &BadSignature{}},
		"a page":               {"<html>\n", &Malformed{}},
		"another text":         {"— ours AAAAAAAA\n\n" + string(smuggled), &Malformed{}},
		"huge":                 {strings.Repeat(stranger, MaxNote/len(stranger)), &Malformed{}},
	}
	for name, sign := range map[string]func() ([]byte, error){
		"another size": func() ([]byte, error) { return w.Cosign(l.head(4), 1) },
		"another key":  func() ([]byte, error) { return newWitness(t, 8).Cosign(l.head(5), 1) },
	} {
		line, err := sign()
		if err != nil {
			t.Fatal(err)
		}
		bad[name] = struct {
			lines string
			want  error
		}{string(line), &BadSignature{}}
	}
	for name, test := range bad {
		if got, _, err := w.VKey().Cosignature(signed, []byte(test.lines)); !sameKind(err, test.want) {
			t.Errorf("%s: %q, %v, want %v", name, got, err, test.want)
		}
	}
	if _, _, err := NotaryVKey(origin, l.policy.Notary).Cosignature(signed, line); err == nil {
		t.Error("a log's key is no cosigner's")
	}
	if _, err := w.Cosign(l.head(5), 1<<63); err == nil {
		t.Error("a time above 2^63-1 was signed")
	}
}

func TestSubmission(t *testing.T) {
	proof := make([]Hash, MaxProof)
	proof[3][9] = 1
	for _, s := range []Submission{
		{Note: []byte("x")}, {Old: 5, Proof: proof[:4], Note: []byte("a\n\nb\n")}, {Old: MaxSize, Proof: proof, Note: make([]byte, MaxNote)},
	} {
		back, err := ParseSubmission(s.Bytes())
		if diff := cmp.Diff(s, back); err != nil || diff != "" {
			t.Errorf("old %d: %v %s", s.Old, err, diff)
		}
	}
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for name, test := range map[string]struct{ body, says string }{
		"empty":          {"", "no empty line"},
		"no note":        {"old 5\n\n", "no checkpoint"},
		"no empty line":  {"old 5\n" + hash, "no empty line"},
		"leading zero":   {"old 05\n\nx", "line 1"},
		"plus":           {"old +5\n\nx", "line 1"},
		"minus":          {"old -5\n\nx", "line 1"},
		"two spaces":     {"old  5\n\nx", "line 1"},
		"space after":    {"old 5 \n\nx", "line 1"},
		"uppercase":      {"OLD 5\n\nx", "line 1"},
		"CRLF":           {"old 5\r\n\r\nx\n\ny", "line 1"},
		"CRLF in proof":  {"old 5\n" + hash[:44] + "\r\n\nx", "line 2"},
		"short hash":     {"old 5\n" + hash + hash[:40] + "\n\nx", "line 3"},
		"loose base64":   {"old 5\n" + hash[:42] + "B=\n\nx", "line 2"},
		"64 proof lines": {"old 5\n" + strings.Repeat(hash, 64) + "\nx", "64 lines"},
		"too large":      {"old 5\n\n" + strings.Repeat("x", MaxSubmission), "above"},
		"2^64":           {"old 18446744073709551616\n\nx", "line 1"},
		"line 1 empty":   {"\n\nold 5\n\nx", "line 1"},
	} {
		if s, err := ParseSubmission([]byte(test.body)); !sameKind(err, &Malformed{}) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func FuzzParseSubmission(f *testing.F) {
	hash := base64.StdEncoding.EncodeToString(make([]byte, 32)) + "\n"
	for _, proof := range []string{"", hash, strings.Repeat(hash, 63), strings.Repeat(hash, 64)} {
		f.Add(fmt.Appendf(nil, "old 5\n%s\nlog.example\n7\n%s\n— log.example AAAAAAAA\n", proof, hash))
	}
	f.Add([]byte("old 281474976710657\n\nx"))
	f.Add([]byte("old 5\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := ParseSubmission(body)
		if err != nil {
			return
		}
		if string(s.Bytes()) != string(body) || s.Old > MaxSize || len(s.Proof) > MaxProof {
			t.Errorf("%q is also spelt %q", body, s.Bytes())
		}
	})
}

func FuzzParseVKey(f *testing.F) {
	f.Add(newWitness(f, 7).VKey().String())
	f.Add(NotaryVKey(origin, publicOf(testKey(1))).String())
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := ParseVKey(text); err == nil && k.String() != text {
			t.Errorf("%q is also spelt %q", text, k)
		}
	})
}

func FuzzTreeHead(f *testing.F) {
	l := newLog(f)
	l.add(3)
	w := newWitness(f, 7)
	signed := l.sign(l.at(3))
	line, err := w.Cosign(TreeHead{Text: l.at(3).Text()}, 7)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, line)
	f.Add(signed, append([]byte("— stranger AAAAAAAA\n"), line...))
	f.Add(append(signed, line...), line)
	text, notary := l.at(3).Text(), NotaryVKey(origin, l.policy.Notary)
	f.Fuzz(func(t *testing.T, data, lines []byte) {
		// Nobody has the keys, so whatever opens says what was signed.
		head, err := OpenTreeHead(data, []VKey{notary})
		if err == nil && (head.Text != text || head.Size != 3) {
			t.Errorf("forged head %+v", head)
		}
		if got, _, err := w.VKey().Cosignature(signed, lines); err == nil && string(got) != string(line) {
			t.Errorf("forged cosignature %q", got)
		}
	})
}
