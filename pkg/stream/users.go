package stream

// The names of users, which are also those of their durable consumers.

// PublisherUser is the user of one agency's publisher.
func PublisherUser(country, agency string) string { return "publisher-" + country + "-" + agency }

// DeskUser is the user of a country's desk.
func DeskUser(country string) string { return "desk-" + country }

// RegistrarUser is who hands in registry updates for a country.
func RegistrarUser(country string) string { return "registrar-" + country }

// The notary's users, in the hub's own account. A standby reads through a consumer
// of its own, so that neither takes the other's messages.
const (
	NotaryUser  = "notary"
	StandbyUser = "standby"
)

// InMemberAccount reports whether a user is in a member's account and not in the
// hub's own: what Config.Account wants to know.
func InMemberAccount(user string) bool { return user != NotaryUser && user != StandbyUser }

// AuditUser is the user of an auditor.
const AuditUser = "auditor"

// ScrubConsumer is the notary's second consumer on Events, and StandbyScrubConsumer
// its standby's: with it, it reads again what it has signed.
const (
	ScrubConsumer        = "notary-scrub"
	StandbyScrubConsumer = "standby-scrub"
)
