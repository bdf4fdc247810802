package console

import "sync"

// mostTaken bounds what is remembered; who goes on with an older download is noted once more.
const mostTaken = 10_000

// taken remembers which files a session has begun to take away, so that a download that goes
// on is noted once, and one that begins behind the first byte is noted too.
type taken struct {
	mu    sync.Mutex
	files map[begun]bool
}

type begun struct {
	session secretKey
	path    string
}

func (t *taken) before(session secretKey, path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.files[begun{session, path}]
}

func (t *taken) note(session secretKey, path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.files == nil || len(t.files) >= mostTaken {
		t.files = map[begun]bool{}
	}
	t.files[begun{session, path}] = true
}
