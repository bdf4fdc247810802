package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/registry/registrytest"
	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/desk"
	"github.com/tripoint/tripoint/services/notary"
	"github.com/tripoint/tripoint/services/notary/scrub"
)

// roleVariable makes this test program run one role instead: in a process of its
// own, its processor time is its own too.
const roleVariable = "TRIPOINT_BENCH_ROLE"

// roleConfig is the value of roleVariable, as JSON.
type roleConfig struct {
	Country   string // of a desk; empty: the notary
	Directory string
	Charter   string // path
	Stream    stream.Config
}

func TestMain(m *testing.M) {
	config := os.Getenv(roleVariable)
	if config == "" {
		os.Exit(m.Run())
	}
	if err := serveRole([]byte(config)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// serveRole runs until its input ends. For each line of input it prints the
// processor time that it has used, in nanoseconds.
func serveRole(config []byte) error {
	run, err := openRole(config)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	asked := bufio.NewScanner(os.Stdin)
	for asked.Scan() {
		used, err := processor()
		if err != nil {
			return err
		}
		fmt.Println(used.Nanoseconds())
	}
	cancel()
	return errors.Join(asked.Err(), <-done)
}

func openRole(config []byte) (run func(context.Context) error, err error) {
	var c roleConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	message, err := os.ReadFile(c.Charter)
	if err != nil {
		return nil, err
	}
	charter, err := registry.OpenCharter(message)
	if err != nil {
		return nil, err
	}
	if c.Country == "" {
		n, err := notary.New(notary.Config{
			Directory: c.Directory, Charter: charter, Key: registrytest.Key("notary"), Stream: c.Stream,
			Interval: time.Millisecond,                          // what it waits for is not its cost
			Scrub:    scrub.Pace{Messages: 1, Pause: time.Hour}, // nor what it reads again, which costs by the second
		})
		if err != nil {
			return nil, err
		}
		return n.Run, nil
	}
	d, err := desk.New(context.Background(), desk.Config{
		Country: c.Country, Directory: c.Directory, Charter: charter, MirrorKey: registrytest.Key("mirror " + c.Country),
		Stream: c.Stream, Patience: time.Hour, // while a log is filled, the mirror is far ahead of the messages
	})
	if err != nil {
		return nil, err
	}
	return d.Run, nil
}

// role is one that runs in a process of its own.
type role struct {
	b       *testing.B
	ask     io.WriteCloser
	answers *bufio.Reader
}

// start starts a country's desk, or the notary.
func (h *house) start(country string) *role {
	h.b.Helper()
	config := roleConfig{Country: country, Charter: h.charterPath()}
	if country == "" {
		config.Directory, config.Stream = filepath.Join(h.directory, "notary"), h.connection(stream.NotaryUser)
	} else {
		config.Directory, config.Stream = filepath.Join(h.directory, country), h.connection(stream.DeskUser(country))
	}
	text, err := json.Marshal(config)
	must(h.b, err)
	program, err := os.Executable()
	must(h.b, err)
	command := exec.Command(program)
	command.Env = append(os.Environ(), roleVariable+"="+string(text))
	command.Stderr = os.Stderr
	ask, err := command.StdinPipe()
	must(h.b, err)
	answers, err := command.StdoutPipe()
	must(h.b, err)
	must(h.b, command.Start())
	h.b.Cleanup(func() {
		if err := errors.Join(ask.Close(), command.Wait()); err != nil {
			h.b.Errorf("role %q: %v", country, err)
		}
	})
	return &role{b: h.b, ask: ask, answers: bufio.NewReader(answers)}
}

// processor is the processor time that the role has used.
func (r *role) processor() time.Duration {
	r.b.Helper()
	_, err := fmt.Fprintln(r.ask)
	must(r.b, err)
	line, err := r.answers.ReadString('\n')
	must(r.b, err)
	used, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	must(r.b, err)
	return time.Duration(used)
}
