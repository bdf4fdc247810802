// Package registry is the fold of trust: which members, agencies, keys and
// audiences there are at a log index, as the log itself says and nothing else.
//
// Invariants:
//   - A State is never changed; Apply returns the next one. A refused update
//     leaves no trace in it. States of equal prefixes of the log are equal.
//   - The first update is the founding whose digest the reader already holds
//     (its charter). Nothing that arrives over a network can replace it.
//   - Every update names its charter, its place in its scope (the charter, one
//     country's own affairs, one audience, one key's rotations) and the last index at which it can
//     apply. It applies once, and of two for one place the first in the log.
//   - The charter changes by the threshold as it was and as it will be. A
//     country's affairs change by its own root, or by the key that one of its keys
//     was committed to. An audience changes by all who are in it, and a leave by
//     the leaver alone. Fewer roots than the threshold change nothing in the charter.
//   - A key serves one owner in one role, once and never again; it is in the one
//     encoding of its point, and not of small order. Who enrols a key that can
//     sign shows that he has it.
//   - Keys are judged at an event's log index, never by a clock: valid from the
//     index after the update that brought them up to the update that ended them.
//   - A member reads what was addressed to an audience while it was in it, and
//     nothing from before: whoever comes in begins a new circle, with an address
//     of its own. A member that is suspended or has left reads and publishes nothing.
//   - There is always an active member and somebody who witnesses. A threshold or
//     quorum above the number of those left means all of them.
package registry
