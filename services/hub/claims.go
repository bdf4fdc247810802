package hub

import (
	"fmt"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/tripoint/tripoint/pkg/stream"
)

// Names of the hub's own accounts and of its administrator.
const (
	hubAccount    = "HUB"
	systemAccount = "SYS"
	hubUser       = "hub"
)

// claims are the JWTs of operator mode: the operator vouches for accounts, an
// account for its users.
type claims struct {
	operator *jwt.OperatorClaims
	system   string // public key of the system account
	resolver *server.MemAccResolver
	users    map[string][]byte // user name to .creds content
}

// issue derives all claims from the tenancy and the keys.
func issue(keys keyring, accounts []account) (*claims, error) {
	operator, err := keys.operator()
	if err != nil {
		return nil, err
	}
	issued := &claims{resolver: &server.MemAccResolver{}, users: map[string][]byte{}}
	hub, err := keys.account(hubAccount)
	if err != nil {
		return nil, err
	}
	hubKey, err := hub.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("the hub's account: %w", err)
	}
	if issued.system, err = issued.addAccount(keys, operator, account{name: systemAccount}, nil); err != nil {
		return nil, err
	}
	var exports []grant
	for _, member := range accounts {
		if _, err := issued.addAccount(keys, operator, member, imports(hubKey, member)); err != nil {
			return nil, err
		}
		for _, u := range member.users {
			exports = append(exports, u.grants...)
		}
	}
	own := account{name: hubAccount, users: []user{{name: hubUser}, notary()}}
	if _, err := issued.addAccount(keys, operator, own, ownStreams(exports)); err != nil {
		return nil, err
	}
	return issued, issued.signOperator(operator)
}

func (c *claims) signOperator(operator nkeys.KeyPair) error {
	public, err := operator.PublicKey()
	if err != nil {
		return fmt.Errorf("the operator's key: %w", err)
	}
	signed := jwt.NewOperatorClaims(public)
	signed.Name = "tripoint"
	signed.SystemAccount = c.system
	token, err := signed.Encode(operator)
	if err != nil {
		return fmt.Errorf("signing the operator's claims: %w", err)
	}
	c.operator, err = jwt.DecodeOperatorClaims(token)
	return err
}

// addAccount signs an account and its users; shape adds what is special about it.
func (c *claims) addAccount(keys keyring, operator nkeys.KeyPair, a account, shape func(*jwt.AccountClaims)) (public string, err error) {
	pair, err := keys.account(a.name)
	if err != nil {
		return "", err
	}
	if public, err = pair.PublicKey(); err != nil {
		return "", fmt.Errorf("account %s: %w", a.name, err)
	}
	signed := jwt.NewAccountClaims(public)
	signed.Name = a.name
	if shape != nil {
		shape(signed)
	}
	token, err := signed.Encode(operator)
	if err != nil {
		return "", fmt.Errorf("signing account %s: %w", a.name, err)
	}
	if err := c.resolver.Store(public, token); err != nil {
		return "", fmt.Errorf("storing account %s: %w", a.name, err)
	}
	for _, u := range a.users {
		if c.users[u.name], err = credentials(keys, pair, u); err != nil {
			return "", err
		}
	}
	return public, nil
}

// imports lends a member's account exactly the subjects of its users.
func imports(hubKey string, member account) func(*jwt.AccountClaims) {
	return func(signed *jwt.AccountClaims) {
		for _, u := range member.users {
			for _, g := range u.grants {
				signed.Imports.Add(&jwt.Import{
					Name: g.subject, Subject: jwt.Subject(g.subject), Account: hubKey,
					LocalSubject: jwt.RenamingSubject(g.local), Type: jwt.Service,
				})
			}
		}
	}
}

// ownStreams gives the hub's account JetStream, and the exports that members import.
func ownStreams(exports []grant) func(*jwt.AccountClaims) {
	return func(signed *jwt.AccountClaims) {
		signed.Limits.JetStreamLimits = jwt.JetStreamLimits{
			MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit,
			Consumer: jwt.NoLimit, MaxAckPending: jwt.NoLimit,
		}
		for _, g := range exports {
			response := jwt.ResponseTypeSingleton
			if g.answers == manyAnswers {
				response = jwt.ResponseTypeStream
			}
			signed.Exports.Add(&jwt.Export{
				Name: g.subject, Subject: jwt.Subject(g.subject), Type: jwt.Service, ResponseType: jwt.ResponseType(response),
			})
		}
	}
}

// notary may read all events, publish leaves, and look up its newest ones.
func notary() user {
	grants := append(reads(stream.Events, stream.NotaryUser),
		grant{subject: stream.LeavesSubject},
		grant{subject: "$JS.API.STREAM.INFO." + stream.Log},
		grant{subject: "$JS.API.STREAM.MSG.GET." + stream.Log})
	for i := range grants {
		grants[i].local = grants[i].subject
	}
	return user{name: stream.NotaryUser, grants: grants}
}

// credentials makes a user's .creds file: it may publish on its grants, hear its
// own inbox, and nothing else. The hub's administrator alone is not confined.
func credentials(keys keyring, account nkeys.KeyPair, u user) ([]byte, error) {
	pair, err := keys.user(u.name)
	if err != nil {
		return nil, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.name, err)
	}
	signed := jwt.NewUserClaims(public)
	signed.Name = u.name
	if u.name != hubUser {
		for _, g := range u.grants {
			signed.Permissions.Pub.Allow.Add(g.local)
		}
		signed.Permissions.Sub.Allow.Add(stream.InboxPrefix(u.name) + ".>")
	}
	token, err := signed.Encode(account)
	if err != nil {
		return nil, fmt.Errorf("signing user %s: %w", u.name, err)
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.name, err)
	}
	return jwt.FormatUserConfig(token, seed)
}
