// Package casework is the domain: a fold of what agencies say into documents,
// one for each entity, in which every claim stands beside the others with who
// said it, when, how sure, and how it may be used.
//
// Nothing overwrites. A document is its claims in log order and what follows
// from them: each agency's newest word on each attribute, where agencies
// differ, counts that do not add up, discrepancies between the two sides of a
// handover. The same events in the same order give the same documents, byte
// for byte, on every machine; Digest proves it.
//
// The package does no I/O and reads no clock. Documents live in a Cabinet that
// the caller provides; a crash in the middle of Fold is the caller's
// transaction to roll back.
package casework
