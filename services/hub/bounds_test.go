package hub

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"

	"github.com/tripoint/tripoint/pkg/keyfile"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
)

// opened is a hub that follows nothing.
func opened(t *testing.T, directory string) *Hub {
	t.Helper()
	h, err := New(t.Context(), Config{Directory: directory, Listen: "127.0.0.1:0", Lock: keyfile.Unsealed, Charter: registrytest.Charter(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.stop()
		if err := h.lock.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// A directory may be called what it likes, also what would be a pattern.
func TestDirectoryIsNoPattern(t *testing.T) {
	t.Parallel()
	opened(t, filepath.Join(t.TempDir(), "hub [1"))
}

// The server's default of 1,000 consumers a stream would be used up by one
// member's agencies, and then nobody's updates be enforced.
func TestConsumersAreNotLimited(t *testing.T) {
	t.Parallel()
	status, err := opened(t, t.TempDir()).server.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if limits := status.JetStream.Limits; limits.DefaultMaxConsumers != -1 {
		t.Errorf("%d consumers a stream, want no limit", limits.DefaultMaxConsumers)
	}
}

// What one member has become too large for does not keep another's revocation
// out of force.
func TestOneMembersClaimsDoNotHoldUpAnothers(t *testing.T) {
	t.Parallel()
	h := opened(t, t.TempDir())
	t0 := tenancyOf(h.ledger.state)
	for i := range t0.accounts {
		a := &t0.accounts[i]
		switch a.name {
		case "XA": // its token exceeds what a server reads
			for n := range 10_000 {
				a.users[0].grants = append(a.users[0].grants, own(fmt.Sprintf("evt.*.XA.agency-%d.>", n), oneAnswer))
			}
		case "XB":
			a.closed = true
		}
	}
	if err := h.gate.apply(t.Context(), h.js, t0); err != nil {
		t.Fatal(err)
	}
	if own, err := h.gate.issuer.member(t0.accounts[0]); err != nil || h.gate.accounts["XA"] == own.String() {
		t.Errorf("claims that are too large were enforced, %v", err)
	}
	key, err := public(h.gate.issuer.keys.account("XB"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := h.gate.resolver.Fetch(key)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.DecodeAccountClaims(token)
	if err != nil {
		t.Fatal(err)
	}
	if !claims.IsClaimRevoked(&jwt.UserClaims{ClaimsData: jwt.ClaimsData{Subject: stream.DeskUser("XB"), IssuedAt: time.Now().Unix()}}) {
		t.Error("an account that was closed is open")
	}
}
