package hub

import (
	"slices"
	"strings"

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

// user is one connection's identity. What it may do is what stands in both: allow
// is signed into its credentials and stays the same while they are good; grants
// are its account's, and follow the registry.
type user struct {
	name    string
	renewed int // how often its key was lost: the credentials of before open nothing
	allow   []string
	grants  []grant
	own     string // subjects that are in its agency's name; empty: it is no publisher
}

// account is a NATS account: a country, or the auditors. Its key is derived from
// its name.
type account struct {
	name    string
	users   []user
	refused []user // may not connect, with any credentials up to renewed
	closed  bool   // nobody may
}

// consumer is a durable consumer that the hub makes for one user.
type consumer struct {
	stream, name string
	filters      []string // none: everything
}

// tenancy is what the registry's state means for the broker.
type tenancy struct {
	accounts  []account
	consumers []consumer
}

// auditAccount holds the auditors: they read every subject and publish on none.
const auditAccount = "AUDIT"

// nothing is a subject on which no key record ever lies: no address is like that.
const nothing = "key._.>"

// fileAPI is where single chunks of attachments are fetched: the newest message on one
// subject of stream.Files. What follows is the subject.
const fileAPI = ".DIRECT.GET." + stream.Files + "."

// tenancyOf is a function of the state alone, so that two hubs derive the same from one log.
func tenancyOf(state registry.State) tenancy {
	t := tenancy{}
	for _, m := range state.Members() {
		if m.Status == registry.Left {
			t.accounts = append(t.accounts, account{name: m.Country, closed: true})
			continue
		}
		member := account{name: m.Country}
		t.addDesk(&member, state, m)
		t.addRegistrar(&member, m)
		for _, agency := range state.Agencies() {
			if agency.Country == m.Country {
				t.addPublisher(&member, state, agency)
			}
		}
		t.accounts = append(t.accounts, member)
	}
	t.addAuditor()
	return t
}

// addDesk lets a desk read its addresses and the registry, and an active member's
// cosign. A suspended one is left with the registry, where it reads why.
func (t *tenancy) addDesk(member *account, state registry.State, m registry.Member) {
	name := stream.DeskUser(m.Country)
	events, keys := stream.Common(), []string{}
	desk := user{name: name, renewed: m.MirrorsRevoked}
	desk.may(stream.CosignPrefix+m.Country, stream.MemberAPI+fileAPI+"file.>")
	for _, address := range state.Reads(m.Country) {
		events, keys = append(events, "evt."+address+".>"), append(keys, "key."+address+".>")
		files := fileAPI + "file." + address + ".>"
		desk.grants = append(desk.grants, grant{subject: "$JS.API" + files, local: stream.MemberAPI + files, answers: oneAnswer})
	}
	if len(keys) == 0 {
		keys = []string{nothing}
	}
	if m.Status == registry.Active {
		desk.grants = append(desk.grants, own("log.*."+m.Country, oneAnswer))
	}
	t.reads(&desk, consumer{stream.Events, name, events}, consumer{stream.Log, name, []string{"log.>"}}, consumer{stream.Keys, name, keys})
	member.users = append(member.users, desk)
}

// addRegistrar lets somebody in each active country hand in registry updates, also
// of others: what is in them is signed, and who hands them in means nothing. That
// of a suspended one only reads. Its credentials are renewed with the desk's.
func (t *tenancy) addRegistrar(member *account, m registry.Member) {
	registrar := user{name: stream.RegistrarUser(member.name), renewed: m.MirrorsRevoked}
	update := own("reg.*.*", oneAnswer)
	registrar.may(update.local)
	if m.Status == registry.Active {
		registrar.grants = append(registrar.grants, update)
	}
	t.reads(&registrar, consumer{stream.Events, registrar.name, []string{"reg.>"}})
	member.users = append(member.users, registrar)
}

// addPublisher lets an agency with a valid key publish to the addresses that are
// open to its country, key records also to what it reads, and nothing else. It may fetch the chunks of its own files,
// where its country's account reads: a release puts them at another address, too. That of a suspended country is left with
// what it reads: the registry, and what lies in its agency's name, so that it knows
// what every reader made of it. One without a valid key may not connect.
func (t *tenancy) addPublisher(member *account, state registry.State, a registry.Agency) {
	own := func(prefix, address string) string { return prefix + address + "." + a.Country + "." + a.ID + ".>" }
	publisher := user{name: stream.PublisherUser(a.Country, a.ID), renewed: a.KeysRevoked, own: own("evt.", "*")}
	if _, valid := state.Key(a.Key); !valid || a.Retired != 0 {
		member.refused = append(member.refused, publisher)
		return
	}
	publisher.may(own("evt.", "*"), own("key.", "*"), own("file.", "*"), stream.MemberAPI+fileAPI+own("file.", "*"))
	for _, id := range state.AudiencesOf(a.Country) { // none for a suspended country
		audience, _ := state.Audience(id)
		for _, prefix := range []string{"evt.", "file."} {
			subject := own(prefix, audience.Address())
			publisher.grants = append(publisher.grants, grant{subject: subject, local: subject, answers: oneAnswer})
		}
	}
	for _, address := range openTo(state, a.Country) {
		subject := own("key.", address)
		publisher.grants = append(publisher.grants, grant{subject: subject, local: subject, answers: oneAnswer})
	}
	t.readsRegistry(&publisher)
	member.users = append(member.users, publisher)
}

// readsRegistry gives a user the registry and the log's tree, and a publisher what
// lies in its agency's name: at every address, also those that are closed to its
// country by now, where it has to see what became of what it said.
func (t *tenancy) readsRegistry(u *user) {
	filters := stream.Common()
	if u.own != "" {
		filters = append(filters, u.own)
	}
	t.reads(u, consumer{stream.Events, u.name, filters}, consumer{stream.Log, u.name, []string{"log.>"}})
}

// openTo are the addresses that an active country reads: its agencies' key records may
// lie there. What was said to one that has closed since is erased there too.
func openTo(state registry.State, country string) []string {
	if m, _ := state.Member(country); m.Status != registry.Active {
		return nil
	}
	return state.Reads(country)
}

// farewell is a tenancy between two: those who may not connect any more may still
// read why, and do nothing else. ok is false where nobody goes.
func farewell(before, after tenancy) (between tenancy, ok bool) {
	between = tenancy{accounts: slices.Clone(after.accounts), consumers: slices.Clone(after.consumers)}
	for _, old := range before.accounts {
		at := slices.IndexFunc(between.accounts, func(a account) bool { return a.name == old.name })
		if at < 0 {
			continue
		}
		a := between.accounts[at]
		a.users, a.refused = slices.Clone(a.users), slices.Clone(a.refused)
		for _, u := range old.users {
			named := func(other user) bool { return other.name == u.name }
			if slices.ContainsFunc(a.users, named) {
				continue
			}
			reader := user{name: u.name, renewed: u.renewed, allow: slices.Clone(u.allow), own: u.own}
			between.readsRegistry(&reader)
			a.users, a.refused, a.closed, ok = append(a.users, reader), slices.DeleteFunc(a.refused, named), false, true
		}
		between.accounts[at] = a
	}
	return between, ok
}

func (t *tenancy) addAuditor() {
	auditor := user{name: stream.AuditUser}
	t.reads(&auditor, consumer{stream: stream.Events, name: auditor.name}, consumer{stream: stream.Log, name: auditor.name})
	t.accounts = append(t.accounts, account{name: auditAccount, users: []user{auditor}})
}

// reads gives a user consumers of its own name.
func (t *tenancy) reads(u *user, consumers ...consumer) {
	for _, c := range consumers {
		t.consumers = append(t.consumers, c)
		for _, g := range reading(c.stream, c.name) {
			u.may(g.local)
			u.grants = append(u.grants, g)
		}
	}
}

func (u *user) may(subjects ...string) { u.allow = append(u.allow, subjects...) }

// own is a subject that has the same name in every account.
//
// Where a stream stores what comes, it must have a wildcard. Whoever names a
// granted subject as the reply of a request has the answer sent there. Under a
// literal subject the server passes it on, and a message that was read keeps the
// subject that it was stored under: a member wrote log.leaves so. An import by
// wildcard takes the subject from the message, which is then the server's own
// (_R_.*), and it ends there.
func own(subject string, answers int) grant {
	return grant{subject: subject, local: subject, answers: answers}
}

// reading is the part of the JetStream API that lets a user read through one
// consumer, and do nothing else: not create one, not read by sequence, not list.
func reading(streamName, consumerName string) []grant {
	name := streamName + "." + consumerName
	api := func(call string, answers int) grant {
		return grant{subject: "$JS.API.CONSUMER." + call + "." + name, local: stream.MemberAPI + ".CONSUMER." + call + "." + name, answers: answers}
	}
	return []grant{
		api("MSG.NEXT", manyAnswers),
		api("INFO", oneAnswer),
		api("RESET", oneAnswer),
		own("$JS.ACK."+name+".>", noAnswer),
	}
}

// notaries are the notary and its standby. Each may read all events, twice beside
// each other, publish leaves, look up the newest ones, and see how the streams are
// kept. They and their consumers are the hub's own account's, not the registry's.
func notaries() []user {
	var users []user
	for _, consumers := range notaryConsumers {
		u := user{name: consumers[0].name}
		for _, c := range consumers {
			for _, g := range reading(c.stream, c.name) {
				u.may(g.subject)
			}
		}
		u.may(stream.LeavesSubject, "$JS.API.STREAM.MSG.GET."+stream.Log)
		for _, name := range []string{stream.Events, stream.Log, stream.Keys, stream.Files} {
			u.may("$JS.API.STREAM.INFO." + name)
		}
		users = append(users, u)
	}
	return users
}

// notaryConsumers are those of the notary and of its standby; the first has the user's name.
var notaryConsumers = [][]consumer{
	{{stream: stream.Events, name: stream.NotaryUser}, {stream: stream.Events, name: stream.ScrubConsumer}},
	{{stream: stream.Events, name: stream.StandbyUser}, {stream: stream.Events, name: stream.StandbyScrubConsumer}},
}

// exportsOf are the kinds of subjects that accounts import from the hub's. They are
// wide and always the same, so that no member's number of agencies makes the hub's
// claims too long to be read: which account imports what, the operator's key signs,
// and that is the hub's.
func exportsOf(direct bool) []grant {
	intake := toIntake
	if direct {
		intake = ""
	}
	return []grant{
		{subject: "evt.*.*.*.>", answers: oneAnswer},
		{subject: intake + "key.*.*.*.>", answers: oneAnswer},
		{subject: intake + "file.*.*.*.>", answers: oneAnswer},
		{subject: "$JS.API" + fileAPI + "file.>", answers: oneAnswer},
		{subject: "reg.*.*", answers: oneAnswer},
		{subject: "log.*.*", answers: oneAnswer},
		{subject: "$JS.API.CONSUMER.MSG.NEXT.*.*", answers: manyAnswers},
		{subject: "$JS.API.CONSUMER.INFO.*.*", answers: oneAnswer},
		{subject: "$JS.API.CONSUMER.RESET.*.*", answers: oneAnswer},
		{subject: "$JS.ACK.*.*.>", answers: noAnswer},
	}
}

// stored is where in the hub's account a grant leads: what a member stores on Keys and Files goes through
// the hub's intake, and without one, direct, to the stream.
func (g grant) stored(direct bool) string {
	if !direct && (strings.HasPrefix(g.subject, "key.") || strings.HasPrefix(g.subject, "file.")) {
		return toIntake + g.subject
	}
	return g.subject
}
