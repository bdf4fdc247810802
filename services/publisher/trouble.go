package publisher

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// troubles are the reasons why something does not go on, each under the name of
// what it concerns. They stand in the status and, when they change, in the log.
type troubles struct {
	logger *slog.Logger
	mu     sync.Mutex
	now    map[string]string
}

// note sets the trouble of what; an empty reason ends it. It reports whether
// that is news.
func (t *troubles) note(what, reason string) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[what] == reason {
		return false
	}
	if reason == "" {
		delete(t.now, what)
		t.logger.Info("trouble is over", "what", what)
		return true
	}
	if t.now == nil {
		t.now = map[string]string{}
	}
	t.now[what] = reason
	t.logger.Error("trouble", "what", what, "reason", reason)
	return true
}

// list is all of them, sorted by what they concern.
func (t *troubles) list() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []string
	for _, what := range slices.Sorted(maps.Keys(t.now)) {
		all = append(all, what+": "+t.now[what])
	}
	return all
}

// say joins reasons into one text of the status.
func say(reasons []string) string { return strings.Join(reasons, "; ") }
