package hub

import (
	"fmt"
	"math"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/tripoint/tripoint/pkg/stream"
)

// Names of the hub's own accounts and of its administrator.
const (
	hubAccount    = "HUB"
	systemAccount = "SYS"
	hubUser       = "hub"
)

// forAll is a time after which no credentials are issued: revoked up to then is
// revoked for good.
var forAll = time.Unix(math.MaxInt32, 0)

// issuer signs the JWTs of operator mode: the operator vouches for accounts, an
// account for its users. The registry alone says what stands in them.
type issuer struct {
	keys     keyring
	operator seed
	direct   bool // for servers without a hub: key records and chunks go to their streams at once
}

func newIssuer(keys keyring) (issuer, error) {
	operator, err := keys.operator()
	return issuer{keys: keys, operator: operator}, err
}

// public is the public key of a derived seed.
func public(s seed, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return s.public()
}

// operatorClaims make a server trust this issuer.
func (i issuer) operatorClaims() (claims *jwt.OperatorClaims, token string, err error) {
	key, err := public(i.operator, nil)
	if err != nil {
		return nil, "", fmt.Errorf("the operator's key: %w", err)
	}
	system, err := public(i.keys.account(systemAccount))
	if err != nil {
		return nil, "", err
	}
	claims = jwt.NewOperatorClaims(key)
	claims.Name, claims.SystemAccount = "tripoint", system
	pair, err := jwt.ParseDecoratedNKey(i.operator)
	if err == nil {
		token, err = claims.Encode(pair)
	}
	if err != nil {
		return nil, "", fmt.Errorf("signing the operator's claims: %w", err)
	}
	claims, err = jwt.DecodeOperatorClaims(token)
	return claims, token, err
}

// account begins the claims of an account.
func (i issuer) account(name string) (*jwt.AccountClaims, error) {
	key, err := public(i.keys.account(name))
	if err != nil {
		return nil, err
	}
	claims := jwt.NewAccountClaims(key)
	claims.Name = name
	return claims, nil
}

// hub is the account that has JetStream and exports what members import.
func (i issuer) hub() (*jwt.AccountClaims, error) {
	claims, err := i.account(hubAccount)
	if err != nil {
		return nil, err
	}
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{
		MemoryStorage: jwt.NoLimit, DiskStorage: jwt.NoLimit, Streams: jwt.NoLimit,
		Consumer: jwt.NoLimit, MaxAckPending: jwt.NoLimit,
	}
	for _, g := range exportsOf(i.direct) {
		response := jwt.ResponseTypeSingleton
		if g.answers == manyAnswers {
			response = jwt.ResponseTypeStream
		}
		claims.Exports.Add(&jwt.Export{
			Name: g.subject, Subject: jwt.Subject(g.subject), Type: jwt.Service, ResponseType: jwt.ResponseType(response),
		})
	}
	return claims, nil
}

// member is an account that imports exactly the subjects of its users.
func (i issuer) member(a account) (*jwt.AccountClaims, error) {
	claims, err := i.account(a.name)
	if err != nil {
		return nil, err
	}
	if a.closed {
		claims.Limits.Conn = 0
		claims.RevokeAt(jwt.All, forAll)
		return claims, nil
	}
	hub, err := public(i.keys.account(hubAccount))
	if err != nil {
		return nil, err
	}
	for _, u := range a.users {
		for _, g := range u.grants {
			claims.Imports.Add(&jwt.Import{
				Name: g.subject, Subject: jwt.Subject(g.stored(i.direct)), Account: hub,
				LocalSubject: jwt.RenamingSubject(g.local), Type: jwt.Service,
			})
		}
		if err := i.revoke(claims, u, u.renewed-1); err != nil {
			return nil, err
		}
	}
	for _, u := range a.refused {
		if err := i.revoke(claims, u, u.renewed); err != nil {
			return nil, err
		}
	}
	return claims, nil
}

// revoke shuts out a user's credentials up to the one that was issued last.
func (i issuer) revoke(claims *jwt.AccountClaims, u user, last int) error {
	for renewed := 0; renewed <= last; renewed++ {
		key, err := public(i.keys.user(credentialName(u.name, renewed)))
		if err != nil {
			return err
		}
		claims.RevokeAt(key, forAll)
	}
	return nil
}

// credentialName is what a user's NATS key is derived from.
func credentialName(user string, renewed int) string {
	if renewed == 0 {
		return user
	}
	return fmt.Sprintf("%s %d", user, renewed)
}

// encode signs an account's claims.
func (i issuer) encode(claims *jwt.AccountClaims) (string, error) {
	pair, err := jwt.ParseDecoratedNKey(i.operator)
	if err != nil {
		return "", fmt.Errorf("signing account %s: %w", claims.Name, err)
	}
	token, err := claims.Encode(pair)
	if err != nil {
		return "", fmt.Errorf("signing account %s: %w", claims.Name, err)
	}
	return token, nil
}

// credentials makes a user's .creds file: it may publish on what it is allowed,
// hear its own inbox, and nothing else. The hub's administrator alone is not confined.
func (i issuer) credentials(accountName string, u user) ([]byte, error) {
	account, err := i.keys.account(accountName)
	if err != nil {
		return nil, err
	}
	own, err := i.keys.user(credentialName(u.name, u.renewed))
	if err != nil {
		return nil, err
	}
	key, err := own.public()
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", u.name, err)
	}
	claims := jwt.NewUserClaims(key)
	claims.Name = u.name
	if u.name != hubUser {
		claims.Permissions.Pub.Allow.Add(u.allow...)
		claims.Permissions.Sub.Allow.Add(stream.InboxPrefix(u.name) + ".>")
	}
	pair, err := jwt.ParseDecoratedNKey(account)
	if err != nil {
		return nil, fmt.Errorf("signing user %s: %w", u.name, err)
	}
	token, err := claims.Encode(pair)
	if err != nil {
		return nil, fmt.Errorf("signing user %s: %w", u.name, err)
	}
	return jwt.FormatUserConfig(token, own)
}
