package hub

import (
	"slices"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/stream"
)

// grant is one subject of the hub's account that a user may publish on. A member
// sees it in its own account under local.
type grant struct {
	subject string // in the hub's account
	local   string // in the member's account
	answers int    // how many replies a request has
}

const (
	noAnswer = iota
	oneAnswer
	manyAnswers
)

// user is one connection's identity, with all that it may do.
type user struct {
	name   string
	grants []grant
}

// account is a NATS account: a country, or the auditors. Its key is derived from
// its name.
type account struct {
	name  string
	users []user
}

// consumer is a durable consumer that the hub makes for one user.
type consumer struct {
	stream, name string
	filters      []string
}

// auditAccount holds the auditors: they read every subject and publish on none.
const auditAccount = "AUDIT"

// tenancy is what the registry's state means for the broker. It is a function of
// the state alone, so that two hubs derive the same from one log.
func tenancy(state registry.State) (accounts []account, consumers []consumer) {
	for _, country := range state.Countries() {
		member := account{name: country}
		for _, agency := range state.Agencies() {
			if agency.Country != country {
				continue
			}
			name := stream.PublisherUser(country, agency.ID)
			events := "evt.*." + country + "." + agency.ID + ".>"
			member.users = append(member.users, user{name: name, grants: append(
				[]grant{{subject: events, local: events, answers: oneAnswer}},
				reads(stream.Log, name)...)})
			consumers = append(consumers, consumer{stream: stream.Log, name: name, filters: []string{"log.>"}})
		}
		desk := stream.DeskUser(country)
		cosign := stream.CosignPrefix + country
		member.users = append(member.users, user{name: desk, grants: slices.Concat(
			reads(stream.Events, desk), reads(stream.Log, desk),
			[]grant{{subject: cosign, local: cosign, answers: oneAnswer}})})
		consumers = append(consumers,
			consumer{stream: stream.Events, name: desk, filters: audienceFilters(state, country)},
			consumer{stream: stream.Log, name: desk, filters: []string{"log.>"}})
		accounts = append(accounts, member)
	}
	accounts = append(accounts, account{name: auditAccount, users: []user{{name: stream.AuditUser, grants: append(
		reads(stream.Events, stream.AuditUser), reads(stream.Log, stream.AuditUser)...)}}})
	consumers = append(consumers,
		consumer{stream: stream.Events, name: stream.AuditUser},
		consumer{stream: stream.Log, name: stream.AuditUser})
	return accounts, consumers
}

// audienceFilters are the subjects that a country may read: its audiences, and
// the registry, which is everybody's.
func audienceFilters(state registry.State, country string) []string {
	filters := []string{"reg.>"}
	for _, audience := range state.AudiencesOf(country) {
		filters = append(filters, "evt."+audience+".>")
	}
	return filters
}

// reads are the parts of the JetStream API that let a user read through one
// consumer, and do nothing else: not create one, not read by sequence, not list.
func reads(streamName, consumerName string) []grant {
	name := streamName + "." + consumerName
	api := func(call string, answers int) grant {
		return grant{subject: "$JS.API.CONSUMER." + call + "." + name, local: stream.MemberAPI + ".CONSUMER." + call + "." + name, answers: answers}
	}
	ack := "$JS.ACK." + name + ".>"
	return []grant{
		api("MSG.NEXT", manyAnswers),
		api("INFO", oneAnswer),
		api("RESET", oneAnswer),
		{subject: ack, local: ack, answers: noAnswer},
	}
}
