// Package seal closes the sections of events, and opens them. The log holds
// ciphertext for ever; the keys live apart, in records that are replaced and expire.
//
// # Construction
//
// Everything is AES-256-GCM, SHA-256, Ed25519, and HPKE (RFC 9180) in base mode with
// MLKEM768-X25519, HKDF-SHA256 and AES-256-GCM. PAE is that of pkg/pae; origin is
// three parts: country, agency, audience address. construction.go is this table in Go.
//
//	CK          32 random bytes, one a section
//	commitment  SHA-256(PAE(commitment, event id, u64 compartment, CK)); stands in the signed header
//	parts       SHA-256(PAE(parts, event id, blind, of)); stands in the signed header. blind is 32 random
//	            bytes, of is 16: the compartments of the event's sealed sections in their order, then zeros
//	content     GCM(CK, nonce 0, blind || of || section, PAE(section, event id, origin, u64 compartment, commitment))
//
//	BK          32 random bytes, one a record and compartment
//	entry       GCM(BK, nonce u32 0 || u64 place, CK,
//	                PAE(contentkey, batch root, u64 place, event id, u64 compartment))
//	wrap        HPKE(desk's opening key, BK, info =
//	                PAE(grant, origin, batch root, desk's country, u64 compartment, SHA-256(opening key), grantor))
//	record      Ed25519 over PAE(keyrecord, key id, content), by a publisher key of the origin; beside it
//	            ML-DSA-44 over the same where the registry names a second key (pkg/second)
//
// A record has a BK of every compartment in which a recipient has an opening key, and under each an
// entry for each event: its CK, or zero where the event has no such section. Sealed sections stand in the order of
// their commitments, without a compartment. So who has headers and records, the hub, does not
// read which compartments an event has; who opens an entry finds its section by the commitment, and
// reads in it which the others are of.
//
// A batch root and a place are those of the batch's one signature (event.Place). The
// grantor is the key that signed the record when its wraps were made. A release is a record
// like the batch's own, with one recipient, BKs of its own, and the label release
// in place of grant. So no event costs a public-key operation, released or not.
//
// # Invariants
//
//   - A CK encrypts one section, once; a BK encrypts each place once. No nonce comes again under a key.
//   - Nothing is read under a CK that the signed header does not commit to: AES-GCM
//     alone lets one ciphertext open to two texts under two keys.
//   - An event says one thing of a compartment: no section opens that has not the parts to which the header
//     commits, or where these name a compartment twice.
//   - Content, entry and wrap open only where they were made for: each is bound to its origin or
//     batch, event and compartment as in the table; a wrap to its recipient too.
//   - Records of as many events for the same recipients have one form, whatever the events have sections of.
//   - A section is sealed to somebody, or Seal fails. It never stays in clear.
//   - A record is read in one spelling only, and believed from its originator only.
//   - Erasing needs no secret: it is the record again, without those entries, under the next revision.
//   - What does not open says why, by a Reason.
//
// Not promised: that a recipient forgets what it has read; that sizes are hidden; that
// what is recorded today stays closed to whoever takes a desk's private key, while the
// record can still be had. A desk therefore changes its opening keys and destroys old ones.
//
// Known answers are in proto/testdata/seal.json; proto/README.md, "Sealed content", is the
// specification for other languages.
package seal
