package pae

import (
	"bytes"
	"encoding/hex"
	"testing"
)

func TestEncodeKnownAnswer(t *testing.T) {
	got := hex.EncodeToString(Encode("ab", []byte("c"), nil))
	want := "0000000000000003" + "0000000000000002" + "6162" + "0000000000000001" + "63" + "0000000000000000"
	if got != want {
		t.Errorf("Encode = %s, want %s", got, want)
	}
}

func TestMovedBoundariesDiffer(t *testing.T) {
	pairs := [][2][]byte{
		{Encode("l", []byte("ab"), []byte("c")), Encode("l", []byte("a"), []byte("bc"))},
		{Encode("l", []byte("ab")), Encode("la", []byte("b"))},
		{Encode("l"), Encode("l", nil)},
		{Encode("l", Uint64(1)), Encode("l", Uint64(256))},
	}
	for i, pair := range pairs {
		if bytes.Equal(pair[0], pair[1]) {
			t.Errorf("pair %d: two different statements have one encoding", i)
		}
	}
}
