package pilot

import (
	"path/filepath"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/stream"
	eventv1 "github.com/tripoint/tripoint/proto/tripoint/event/v1"
)

// Layout is where things lie in the pilot's data directory. Each party's part is
// a directory of its own, as it would be on a machine of its own.
type Layout string

func (l Layout) at(parts ...string) string {
	return filepath.Join(append([]string{string(l)}, parts...)...)
}

func (l Layout) running() string { return l.at("running.json") }
func (l Layout) charter() string { return l.at("charter") }

func (l Layout) holdings() string { return l.at("holdings") }

func (l Layout) root(country string) string { return l.at("roots", country+".key") }

func (l Layout) hub() string                    { return l.at("hub") }
func (l Layout) brokerSecret() string           { return l.at("hub", "keys", "broker.key") }
func (l Layout) credentials(user string) string { return l.at("hub", "credentials", user+".creds") }

func (l Layout) notary() string    { return l.at("notary") }
func (l Layout) notaryKey() string { return l.at("notary", "notary.key") }
func (l Layout) leaves() string    { return l.at("notary", "hashes") }

func (l Layout) publisher(v voice) string      { return l.at("publishers", v.Country+"-"+v.Agency) }
func (l Layout) publisherKey(v voice) string   { return filepath.Join(l.publisher(v), "publisher.key") }
func (l Layout) publisherToken(v voice) string { return filepath.Join(l.publisher(v), "token") }
func (l Layout) outbox(v voice) string         { return filepath.Join(l.publisher(v), "outbox.db") }

func (l Layout) desk(country string) string      { return l.at("desks", country) }
func (l Layout) mirrorKey(country string) string { return filepath.Join(l.desk(country), "mirror.key") }
func (l Layout) journal(country string) string   { return filepath.Join(l.desk(country), "journal.db") }

// openings is where a desk's opening keys lie, one a compartment.
func (l Layout) openings(country string) string { return filepath.Join(l.desk(country), "opening") }
func (l Layout) openingKey(country string, compartment eventv1.Compartment) string {
	return filepath.Join(l.openings(country), event.CompartmentName(compartment)+".key")
}

// voice is one agency, and so one publisher.
type voice struct{ Country, Agency string }

func (v voice) String() string { return v.Country + "/" + v.Agency }

// connection is how a user of this pilot reaches its hub.
func (l Layout) connection(url, user string) stream.Config {
	return stream.Config{
		URL: url, Credentials: l.credentials(user), User: user, Account: stream.InMemberAccount(user),
	}
}
