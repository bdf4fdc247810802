// Package outside has a log's checkpoints cosigned by witnesses outside of it, by
// C2SP tlog-witness: bodies that see sizes and hashes and nothing else.
//
// They never delay the log. A checkpoint is offered once it is published; each
// witness is asked for the newest one alone, one request at a time, and one that is
// slow or away costs nothing. A witness says itself what it has cosigned; where that is
// less than what it is shown to have, it is reminded, and asked for nothing else.
package outside

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tripoint/tripoint/pkg/translog"
)

// Witness is one to ask.
type Witness struct {
	URL  string // submission prefix: http or https, no query
	VKey string // the cosigner's note key, as translog.ParseVKey reads it
}

// shelf is where the tree lies, and where cosignatures are shown.
type shelf interface {
	// Tree has the hashes of a published tree; for any goroutine.
	Tree(size uint64) tlog.HashReader
	// Attach shows a cosignature of a note; for any goroutine.
	Attach(note []byte, key translog.VKey, line []byte) error
	// Cosigned is the newest note that was shown so; nil: none.
	Cosigned(key translog.VKey) ([]byte, error)
}

// Config is what a circle of witnesses needs.
type Config struct {
	Witnesses []Witness // at most 16, no key or address twice
	Shelf     shelf
	Findings  string        // directory, made when there is a first finding
	Every     time.Duration // at least between requests to one witness; 0: 1 s
	Retry     time.Duration // after a first failure, doubling up to 5 min; 0: 1 s
	Timeout   time.Duration // of one request; 0: 10 s
	Logger    *slog.Logger
}

const (
	most     = 16
	maxRetry = 5 * time.Minute
)

// Circle asks the witnesses of one log.
type Circle struct {
	asked  []*asked
	config Config
	client *http.Client

	mu       sync.Mutex // guards findings
	findings []Finding
}

// New refuses witnesses that cannot be asked, and one that would count as two.
func New(config Config) (*Circle, error) {
	if len(config.Witnesses) > most {
		return nil, fmt.Errorf("%d outside witnesses, at most %d", len(config.Witnesses), most)
	}
	for _, d := range []struct{ value, zero *time.Duration }{
		{&config.Every, new(time.Second)}, {&config.Retry, new(time.Second)}, {&config.Timeout, new(10 * time.Second)},
	} {
		if *d.value == 0 {
			*d.value = *d.zero
		}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 16 << 10
	c := &Circle{config: config, client: &http.Client{
		Transport: transport, Timeout: config.Timeout,
		// Where a checkpoint goes is for this side to say.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, w := range config.Witnesses {
		one, err := c.admit(w)
		if err != nil {
			return nil, fmt.Errorf("outside witness %.100q: %w", w.URL, err)
		}
		c.asked = append(c.asked, one)
	}
	return c, nil
}

func (c *Circle) admit(w Witness) (*asked, error) {
	key, err := translog.ParseVKey(w.VKey)
	if err != nil {
		return nil, fmt.Errorf("vkey: %w", err)
	}
	if !key.Cosigns {
		return nil, errors.New("vkey is a log's (type 0x01), not a cosigner's (0x04)")
	}
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("url is not http(s)://host[:port][/path]")
	}
	address := strings.TrimSuffix(w.URL, "/") + "/add-checkpoint"
	for _, other := range c.asked {
		if string(other.key.Key) == string(key.Key) || other.address == address {
			return nil, fmt.Errorf("it is %q again", other.key.Name)
		}
	}
	return &asked{Circle: c, key: key, address: address, newest: make(chan offer, 1)}, nil
}

// Offer hands the newest published checkpoint over, and never waits.
func (c *Circle) Offer(size uint64, note []byte) {
	for _, w := range c.asked {
		w.offer(offer{size, note}, true)
	}
}

// Run asks until ctx ends.
func (c *Circle) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, w := range c.asked {
		group.Go(func() { w.run(ctx) })
	}
	group.Wait()
	c.client.CloseIdleConnections()
}

// offer is a checkpoint to be cosigned.
type offer struct {
	size uint64
	note []byte // not changed by anybody
}

// asked is one witness.
type asked struct {
	*Circle
	key     translog.VKey
	address string
	newest  chan offer // one at most
	size    uint64     // that it has cosigned, as far as is known; run's alone

	recalled bool // size began with what it is shown to have cosigned
}

// offer puts a checkpoint where run finds it: instead of another one, or where there is none.
func (w *asked) offer(o offer, instead bool) {
	for {
		select {
		case w.newest <- o:
			return
		default:
		}
		if !instead {
			return
		}
		select {
		case <-w.newest:
		default:
		}
	}
}

// run asks for one checkpoint after the other. What failed is asked again, unless
// there is a newer one by then.
func (w *asked) run(ctx context.Context) {
	retry, well := w.config.Retry, true
	for {
		var o offer
		select {
		case <-ctx.Done():
			return
		case o = <-w.newest:
		}
		wait := w.config.Every
		switch err := w.submit(ctx, o); {
		case ctx.Err() != nil:
			return
		case err != nil:
			level := slog.LevelDebug
			if well {
				level = slog.LevelWarn
			}
			w.config.Logger.Log(ctx, level, "an outside witness does not cosign", "witness", w.key.Name, "size", o.size, "error", err)
			well, wait, retry = false, retry, min(2*retry, maxRetry)
			w.offer(o, false)
		case !well:
			w.config.Logger.Info("the outside witness cosigns again", "witness", w.key.Name, "size", o.size)
			well, retry = true, w.config.Retry
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}
