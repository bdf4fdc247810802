package stream

// The names of users, which are also those of their durable consumers.

// PublisherUser is the user of one agency's publisher.
func PublisherUser(country, agency string) string { return "publisher-" + country + "-" + agency }

// DeskUser is the user of a country's desk.
func DeskUser(country string) string { return "desk-" + country }

// RegistrarUser is who hands in registry updates for a country.
func RegistrarUser(country string) string { return "registrar-" + country }

// NotaryUser is the user of the notary, in the hub's own account.
const NotaryUser = "notary"

// AuditUser is the user of an auditor.
const AuditUser = "auditor"

// ScrubConsumer is the notary's second consumer on Events: with it, it reads again
// what it has signed.
const ScrubConsumer = "notary-scrub"
