package stream_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tripoint/tripoint/pkg/stream"
)

func TestExamineSaysHowTheHubAnswers(t *testing.T) {
	_, nc := serve(t)
	checks := stream.Examine(t.Context(), stream.Config{URL: nc.ConnectedUrl(), User: consumer})
	if len(checks) != 2 || !checks[0].OK || !checks[1].OK || checks[1].Name != "clock" {
		t.Errorf("a hub that admits its user: %+v", checks)
	}
	checks = stream.Examine(t.Context(), stream.Config{URL: nc.ConnectedUrl(), User: "nobody"})
	if len(checks) != 1 || checks[0].OK || !strings.Contains(checks[0].Detail, "lends it no reader") {
		t.Errorf("a hub without a consumer for this user: %+v", checks)
	}

	closed, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: "a made-up token", NoLog: true, NoSigs: true})
	must(t, err)
	closed.Start()
	t.Cleanup(func() { closed.Shutdown(); closed.WaitForShutdown() })
	if !closed.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server does not accept connections")
	}
	checks = stream.Examine(t.Context(), stream.Config{URL: closed.ClientURL(), User: consumer})
	if len(checks) != 1 || checks[0].OK || !strings.Contains(checks[0].Detail, "does not admit reader") {
		t.Errorf("a hub that does not admit this user: %+v", checks)
	}

	gone, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, gone.Close())
	checks = stream.Examine(t.Context(), stream.Config{URL: "nats://" + gone.Addr().String(), User: consumer})
	if len(checks) != 1 || checks[0].OK || !strings.Contains(checks[0].Detail, "does not answer") {
		t.Errorf("a hub that is not there: %+v", checks)
	}
}
