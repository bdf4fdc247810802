// Package attachment closes files that travel beside the log, and opens them. The log names
// them inside sealed sections; what lies on the hub is ciphertext.
//
// # Construction
//
// A file of 1 byte to 64 MiB is cut every 128 KiB. It has a key of its own, drawn at random, and
// each piece becomes a chunk as in STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015), the
// way age's payload has it:
//
//	K       32 random bytes, one a file
//	chunk   AES-256-GCM(K, nonce, piece, PAE(attachment, u64 size of the file)), ciphertext || tag
//	nonce   the chunk's number from 0 in 11 bytes, big-endian || 1 in the last chunk, 0 in all others
//	name    SHA-256(chunk); on the hub the chunk lies under it, in hexadecimal
//
// The section holds the file's name, size, K and all chunk names (casework/v1 Attachment). So
// whoever may open the section may open the file, and whoever erases the section's key
// has erased the file. A chunk that was changed has another name; one that was moved, dropped,
// repeated or cut off does not open even where somebody has named it so.
//
// # Invariants
//
//   - K encrypts one file, once. What leaves the machine was read back and came to the file's digest.
//   - Every chunk but the last holds 128 KiB, so a reader can begin anywhere.
//   - Nothing is opened before its digest was compared: a Reason tells what the hub did from what the originator did.
//   - Names, types and sizes are content. The hub learns how many chunks there are, and the length of the last one.
//
// Known answers are in proto/testdata/attachment.json; proto/README.md, "Attachments", is the
// specification for other languages.
package attachment
