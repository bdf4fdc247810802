package event

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/tripoint/tripoint/pkg/pae"
	"github.com/tripoint/tripoint/pkg/second"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Draft is an event before it has a place in its chain.
type Draft struct {
	ID        ID
	Kind      string
	Retention string
	Recorded  time.Time
	Sections  []Section
	Parts     []byte // see Claims; none where no section is sealed
}

// Section is one compartment's content, as the exact bytes that will be carried.
type Section struct {
	Compartment eventv1.Compartment // 0 of a sealed one
	Form        eventv1.SectionForm
	Commitment  []byte
	Content     []byte
}

// Seen is a log size and root that the publisher has verified. The zero Seen
// says nothing.
type Seen struct {
	Size uint64
	Root Digest
}

// Place is where an event stands: its batch, by the root that the signature covers,
// and its index in it, from 0. Content keys are bound to it.
type Place struct {
	Batch Digest
	Index uint64
}

// Signed is an event ready for the stream.
type Signed struct {
	ID      ID
	Place   Place
	Subject string
	Data    []byte // a serialised Envelope; these exact bytes are the event
}

// SigningKey is a publisher's key. Signer is Ed25519; it may sit in a device. Second
// signs beside it where the registry names a second key, and is nil where it names none.
type SigningKey struct {
	ID     KeyID
	Signer crypto.Signer
	Second *second.Key
}

// NewSigningKey names the key behind signer. It refuses what is not Ed25519.
func NewSigningKey(signer crypto.Signer) (SigningKey, error) {
	public, ok := signer.Public().(ed25519.PublicKey)
	if !ok {
		return SigningKey{}, fmt.Errorf("publisher key: %T, want Ed25519", signer.Public())
	}
	return SigningKey{ID: KeyIDOf(RolePublisher, public), Signer: signer}, nil
}

// SignBatch chains the drafts after head and signs them with one signature over
// the RFC 6962 root of their leaves. All drafts go to one audience and have one
// retention class. It returns the events in order and the chain's new head; with
// an error, no events and head as it was.
func SignBatch(key SigningKey, chain Chain, head Head, seen Seen, drafts []Draft) ([]Signed, Head, error) {
	next := head
	if len(drafts) == 0 || len(drafts) > MaxBatch {
		return nil, head, fmt.Errorf("signing a batch of %d events: want 1 to %d", len(drafts), MaxBatch)
	}
	headers := make([][]byte, len(drafts))
	bodies := make([][]byte, len(drafts))
	leaves := make([]Digest, len(drafts))
	for i, draft := range drafts {
		if draft.Retention != drafts[0].Retention {
			return nil, head, fmt.Errorf("signing a batch: event %d has retention %q, the first %q: a batch has one", i, draft.Retention, drafts[0].Retention)
		}
		header, body, err := encode(chain, next, seen, draft)
		if err != nil {
			return nil, head, fmt.Errorf("signing event %s: %w", draft.ID, err)
		}
		headers[i], bodies[i] = header, body
		leaves[i] = leafHash(key.ID, header)
		next = Head{Counter: next.Counter + 1, Digest: DigestOf(header), LastID: draft.ID}
	}
	root, paths := auditPaths(leaves)
	size := uint64(len(drafts))
	signature, other, err := key.sign(statement(key.ID, size, root))
	if err != nil {
		return nil, head, fmt.Errorf("signing a batch of %d events: %w", size, err)
	}
	signed := make([]Signed, len(drafts))
	for i, draft := range drafts {
		proof := &eventv1.BatchProof{KeyId: key.ID[:], Index: uint64(i), Size: size, Path: paths[i], Signature: signature, SecondSignature: other}
		data, err := proto.Marshal(&eventv1.Envelope{Header: headers[i], Body: bodies[i], Proof: proof})
		if err != nil {
			return nil, head, fmt.Errorf("encoding event %s: %w", draft.ID, err)
		}
		if len(data) > MaxMessage {
			return nil, head, fmt.Errorf("event %s: %d bytes, at most %d", draft.ID, len(data), MaxMessage)
		}
		signed[i] = Signed{ID: draft.ID, Place: Place{Batch: root, Index: uint64(i)}, Subject: Subject(chain, draft.Kind), Data: data}
	}
	return signed, next, nil
}

// sign gives both signatures; the second is nil where there is no second key.
func (k SigningKey) sign(statement []byte) (first, other []byte, err error) {
	if first, err = k.Signer.Sign(nil, statement, crypto.Hash(0)); err != nil || k.Second == nil {
		return first, nil, err
	}
	other, err = k.Second.Sign(second.Batch, statement)
	return first, other, err
}

func encode(chain Chain, head Head, seen Seen, draft Draft) (header, body []byte, err error) {
	if head.Counter > 0 && !head.LastID.Less(draft.ID) {
		return nil, nil, errors.New("event id does not follow the last one of its chain")
	}
	content := &eventv1.Body{}
	entries := make([]*eventv1.SectionEntry, len(draft.Sections))
	for i, section := range draft.Sections {
		content.Sections = append(content.Sections, &eventv1.Section{Compartment: section.Compartment, Content: section.Content})
		entries[i] = &eventv1.SectionEntry{Compartment: section.Compartment, Form: section.Form, Commitment: section.Commitment}
	}
	if body, err = proto.Marshal(content); err != nil {
		return nil, nil, fmt.Errorf("encoding the body: %w", err)
	}
	digest := DigestOf(body)
	h := &eventv1.Header{
		EventId: draft.ID[:], Country: chain.Country, Agency: chain.Agency, Audience: chain.Audience,
		Kind: draft.Kind, Counter: head.Counter + 1, BodyDigest: digest[:], Sections: entries,
		Recorded: timestamppb.New(draft.Recorded), Retention: draft.Retention, Parts: draft.Parts,
	}
	if head.Counter > 0 {
		h.Previous = head.Digest[:]
	}
	if seen.Size > 0 {
		h.Seen = &eventv1.SeenCheckpoint{Size: seen.Size, Root: seen.Root[:]}
	}
	if err := checkHeader(h); err != nil {
		return nil, nil, err
	}
	header, err = proto.Marshal(h)
	return header, body, err
}

func leafHash(key KeyID, header []byte) Digest {
	return sha256.Sum256(append([]byte{0x00}, pae.Encode(pae.Event, key[:], header)...))
}

func nodeHash(left, right Digest) Digest {
	var node [65]byte
	node[0] = 0x01
	copy(node[1:], left[:])
	copy(node[33:], right[:])
	return sha256.Sum256(node[:])
}

func statement(key KeyID, size uint64, root Digest) []byte {
	return pae.Encode(pae.Batch, key[:], pae.Uint64(size), root[:])
}

// auditPaths builds the RFC 6962 tree level by level: a last node without a
// sibling rises unchanged, which is the same tree as the recursive definition.
func auditPaths(leaves []Digest) (root Digest, paths [][][]byte) {
	paths = make([][][]byte, len(leaves))
	level := leaves
	for depth := 0; len(level) > 1; depth++ {
		for i := range leaves {
			if sibling := (i >> depth) ^ 1; sibling < len(level) {
				paths[i] = append(paths[i], level[sibling][:])
			}
		}
		next := make([]Digest, 0, (len(level)+1)/2)
		for i := 0; i+1 < len(level); i += 2 {
			next = append(next, nodeHash(level[i], level[i+1]))
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1])
		}
		level = next
	}
	return level[0], paths
}
