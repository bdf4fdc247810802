package evidence_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/cryptotest"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/evidence"
)

var update = flag.Bool("update", false, "write the known answers anew")

// vectors is proto/testdata/evidence.json: files that hold, with what they prove, and
// files that do not. Bytes are hexadecimal. proto/README.md says how to use it.
type vectors struct {
	Good []goodVector `json:"good"`
	Bad  []badVector  `json:"bad"`
}

type goodVector struct {
	What      string   `json:"what"`
	Charter   string   `json:"charter"`
	File      string   `json:"file"`
	EventID   string   `json:"event_id"`
	Index     uint64   `json:"index"`
	Header    string   `json:"header"` // SHA-256 of the event's header
	KeyID     string   `json:"key_id"`
	Doubted   bool     `json:"doubted"`
	Size      uint64   `json:"size"` // of the checkpoint
	Root      string   `json:"root"`
	Registry  string   `json:"registry"`
	Quorum    int      `json:"quorum"`
	Witnesses []string `json:"witnesses"`        // countries, in the order of the file
	Opened    []string `json:"opened,omitempty"` // content that the file opens, as JSON, in the order of sections
}

type badVector struct {
	What    string `json:"what"`
	Charter string `json:"charter"`
	File    string `json:"file"`
	Because string `json:"because"` // part of the reason in this implementation's words
}

func computeVectors(t *testing.T) vectors {
	t.Helper()
	w := storied(t)
	var v vectors
	add := func(what string, file []byte) {
		r := w.holds(file)
		good := goodVector{
			What: what, Charter: w.charter().String(), File: hex.EncodeToString(file), EventID: r.Event.ID, Index: r.Event.Index, Header: r.Event.Header,
			KeyID: r.Key.ID, Doubted: r.Key.Doubted, Size: r.Checkpoint.Size, Root: r.Checkpoint.Root, Registry: r.Checkpoint.Registry, Quorum: r.Quorum,
		}
		for _, s := range r.Event.Sections {
			if s.Opened {
				good.Opened = append(good.Opened, string(s.Content))
			}
		}
		for _, witness := range r.Witnesses {
			good.Witnesses = append(good.Witnesses, witness.Country)
		}
		v.Good = append(v.Good, good)
	}
	larger, alterations := alterations(t)
	add("everybody cosigned the checkpoint", w.writes(w.parts(3, 9)))
	add("everybody cosigned larger ones", larger)
	add("a quorum and no more", w.writes(w.parts(3, 7, func(p *evidence.Parts) { p.Cosignatures = p.Cosignatures[1:] })))
	add("the key is doubted", w.writes(w.parts(5, 9)))
	cryptotest.SetGlobalRandom(t, 6)
	sealed := newWorld(t)
	index, opened := sealed.seals()
	w = sealed
	add("sealed, and nothing of it is opened", w.writes(w.parts(index, index+1)))
	add("sealed, and all of it is opened", w.writes(w.parts(index, index+1, func(p *evidence.Parts) { p.Opened = opened })))
	for _, attacks := range [][]attack{alterations, lies(t), spellings(t), misreadings(t)} {
		for _, a := range attacks {
			v.Bad = append(v.Bad, badVector{a.what, a.charter.String(), hex.EncodeToString(a.file), a.because})
		}
	}
	return v
}

func TestKnownAnswers(t *testing.T) {
	path := filepath.Join("..", "..", "proto", "testdata", "evidence.json")
	computed := computeVectors(t)
	if *update {
		data, err := json.MarshalIndent(computed, "", "  ")
		must(t, err)
		must(t, os.WriteFile(path, append(data, '\n'), 0o644))
	}
	data, err := os.ReadFile(path)
	must(t, err)
	var want vectors
	must(t, json.Unmarshal(data, &want))
	same(t, path, want, computed)
	// The file by itself, as another implementation reads it.
	for _, good := range want.Good {
		r, err := evidence.Verify(unhex(t, good.File), event.Digest(unhex(t, good.Charter)))
		must(t, err)
		same(t, good.What, good.Header, r.Event.Header)
	}
	for _, bad := range want.Bad {
		refused(t, bad.What, unhex(t, bad.File), event.Digest(unhex(t, bad.Charter)), bad.Because)
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	must(t, err)
	return data
}
