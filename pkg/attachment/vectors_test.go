package attachment_test

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/attachment"
	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

var update = flag.Bool("update", false, "write the known answers anew")

const vectorFile = "../../proto/testdata/attachment.json"

// vectors is proto/testdata/attachment.json. All bytes are hexadecimal. proto/README.md says
// how to use it. Byte i of a text is the low 8 bits of i*i + i>>7.
type vectors struct {
	Key   string       `json:"key"`
	Files []fileVector `json:"files"`
	Bad   []badVector  `json:"bad"` // chunks that do not open as number of a file of size bytes
}

type fileVector struct {
	Size   uint64        `json:"size"`
	Data   string        `json:"data"` // additional data
	Entry  string        `json:"entry"`
	Chunks []chunkVector `json:"chunks"`
}

type chunkVector struct {
	Nonce string `json:"nonce"`
	Bytes int    `json:"bytes"`
	Tag   string `json:"tag"`             // the last 16 bytes
	Chunk string `json:"chunk,omitempty"` // where it is short: all of it
	Name  string `json:"name"`
}

type badVector struct {
	What   string            `json:"what"`
	Entry  string            `json:"entry"`
	Number int               `json:"number"`
	Chunk  string            `json:"chunk"` // that came for it
	Reason attachment.Reason `json:"reason"`
}

func makeVectors(t *testing.T) vectors {
	t.Helper()
	k := key(0x42)
	v := vectors{Key: hex.EncodeToString(k[:])}
	for _, size := range []int{1, 40, piece, piece + 1, 3*piece + 17} {
		v.Files = append(v.Files, makeFile(t, k, size))
	}
	good, chunks := closed(t, k, text(40))
	_, other := closed(t, key(0x43), text(40))
	flipped := append([]byte{}, chunks[0]...)
	flipped[0] ^= 1
	wrong := specified(k, 0, 0, 40, text(40))
	misnamed := proto.CloneOf(good)
	names(misnamed, wrong)
	twoPieces, two := closed(t, k, text(piece+1))
	noKey, many := proto.CloneOf(good), proto.CloneOf(good)
	noKey.Key, many.Chunks = nil, append(many.GetChunks(), many.GetChunks()[0])
	for _, bad := range []struct {
		what   string
		entry  *caseworkv1.Attachment
		number int
		chunk  []byte
		reason attachment.Reason
	}{
		{"an entry without a key", noKey, 0, chunks[0], attachment.Malformed},
		{"an entry with a chunk too many", many, 0, chunks[0], attachment.Malformed},
		{"an empty message", good, 0, nil, attachment.Erased},
		{"cut", good, 0, chunks[0][:55], attachment.Cut},
		{"another chunk of the file", twoPieces, 0, two[1], attachment.Moved},
		{"a flipped bit", good, 0, flipped, attachment.Altered},
		{"another file's", good, 0, other[0], attachment.Altered},
		{"named, and not closed as the last one", misnamed, 0, wrong, attachment.Broken},
	} {
		v.Bad = append(v.Bad, badVector{bad.what, hex.EncodeToString(marshal(t, bad.entry)), bad.number, hex.EncodeToString(bad.chunk), bad.reason})
	}
	return v
}

func makeFile(t *testing.T, k attachment.Key, size int) fileVector {
	a, chunks := closed(t, k, text(size))
	file := fileVector{Size: uint64(size), Data: hex.EncodeToString(data(uint64(size))), Entry: hex.EncodeToString(marshal(t, a))}
	for n, chunk := range chunks {
		nonce := make([]byte, 12)
		nonce[10] = byte(n)
		if n == len(chunks)-1 {
			nonce[11] = 1
		}
		c := chunkVector{Nonce: hex.EncodeToString(nonce), Bytes: len(chunk), Tag: hex.EncodeToString(chunk[len(chunk)-16:]), Name: hex.EncodeToString(a.GetChunks()[n])}
		if len(chunk) <= 64 {
			c.Chunk = hex.EncodeToString(chunk)
		}
		file.Chunks = append(file.Chunks, c)
	}
	return file
}

func marshal(t *testing.T, a *caseworkv1.Attachment) []byte {
	t.Helper()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestKnownAnswers(t *testing.T) {
	made := makeVectors(t)
	if *update {
		encoded, err := json.MarshalIndent(made, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorFile, append(encoded, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	var want vectors
	if err := json.Unmarshal(stored, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("known answers (-file +code):\n%s", diff)
	}
	for _, bad := range want.Bad {
		a := &caseworkv1.Attachment{}
		if err := proto.Unmarshal(unhex(t, bad.Entry), a); err != nil {
			t.Fatal(err)
		}
		file, err := attachment.Read(a)
		if err == nil {
			_, err = file.Open(bad.Number, unhex(t, bad.Chunk))
		}
		if attachment.ReasonOf(err) != bad.Reason {
			t.Errorf("%s: %v, want %q", bad.What, err, bad.Reason)
		}
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
