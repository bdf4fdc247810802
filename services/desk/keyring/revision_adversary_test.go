package keyring

import (
	"crypto"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/seal"
	keyv1 "github.com/tripoint/tripoint/proto/tripoint/key/v1"
)

// K06: an agency signs a revision that no desk's database can count to. It is refused with
// a reason; the desk, which would stop at a fault of its ring, reads on.
func TestAdversary_K06_RevisionThatNobodyCanCountTo(t *testing.T) {
	for _, revision := range []uint64{1 << 53, math.MaxInt64, 1 << 63, math.MaxUint64} {
		w := newWorld(t)
		b := w.says(1)
		r := w.ring(t.TempDir())
		w.take(r, start, b.record)
		hostile := Offered{Sequence: 90, Subject: b.record.Subject(), Data: underRevision(t, b.record, revision)}
		for range 2 {
			_, err := r.Take(t.Context(), w.known(start), []Offered{hostile})
			must(t, err)
		}
		same(t, "refused", []seal.Reason{seal.MalformedRecord}, refused(t, r))
		same(t, "read", text(int(b.events[0].Counter), theCase), reads(t, w.opener(r), b.events[0], start)[0])
	}
}

// underRevision is a record with another revision, correctly signed by XA's police.
func underRevision(t *testing.T, r seal.Record, revision uint64) []byte {
	t.Helper()
	record, content, key := &keyv1.KeyRecord{}, &keyv1.Content{}, signer(t, "XA/police")
	must(t, proto.Unmarshal(r.Data, record))
	must(t, proto.Unmarshal(record.GetContent(), content))
	content.Revision = revision
	var err error
	record.Content, err = proto.MarshalOptions{Deterministic: true}.Marshal(content)
	must(t, err)
	record.Signature, err = key.Signer.Sign(nil, pae.Encode(pae.KeyRecord, record.GetKeyId(), record.GetContent()), crypto.Hash(0))
	must(t, err)
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(record)
	must(t, err)
	return data
}
