package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"
)

const (
	linkLife    = 24 * time.Hour // from its making to its one use
	sessionLife = 12 * time.Hour // a long shift; then a new link
)

// session is one signed-in browser.
type session struct {
	key          secretKey
	role         string
	compartments []string // see works
	expires      time.Time
}

// secretKey is the digest of a secret: the secrets themselves are not kept, so
// a dump of the memory signs nobody in.
type secretKey [sha256.Size]byte

// sessions are kept in memory. A restart signs everybody out, and voids the
// links that were not used.
type sessions struct {
	cookie string
	now    func() time.Time

	mu    sync.Mutex
	links map[secretKey]session // by token: the session that it will open; expires is the link's
	open  map[secretKey]session // by cookie value
}

// newSessions names the cookie after the country, because browsers send a
// cookie to every port of a host and a pilot has several consoles on one.
func newSessions(country string, now func() time.Time) *sessions {
	return &sessions{
		cookie: "tripoint_desk_" + url.QueryEscape(country), now: now,
		links: map[secretKey]session{}, open: map[secretKey]session{},
	}
}

// newSecret is 32 random bytes as text. crypto/rand does not fail: it ends the
// process where the system has no randomness.
func newSecret() string {
	var secret [32]byte
	_, _ = rand.Read(secret[:])
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

func (s *sessions) link(officer Officer) string {
	token := newSecret()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetExpired()
	s.links[sha256.Sum256([]byte(token))] = session{
		role: officer.Role, compartments: slices.Clone(officer.Compartments), expires: s.now().Add(linkLife),
	}
	return "/sign-in?token=" + token
}

// begin uses up a link's token and returns the secret of the session that it
// opened; ok is false where the token was never given out, was used, or is too old.
func (s *sessions) begin(token string) (secret string, ok bool) {
	key := secretKey(sha256.Sum256([]byte(token)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetExpired()
	granted, ok := s.links[key]
	if !ok {
		return "", false
	}
	delete(s.links, key)
	secret = newSecret()
	granted.key = sha256.Sum256([]byte(secret))
	granted.expires = s.now().Add(sessionLife)
	s.open[granted.key] = granted
	return secret, true
}

// of finds the session of a request.
func (s *sessions) of(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(s.cookie)
	if err != nil {
		return session{}, false
	}
	return s.find(sha256.Sum256([]byte(cookie.Value)))
}

func (s *sessions) find(key secretKey) (session, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.open[key]
	return found, ok && s.now().Before(found.expires)
}

func (s *sessions) end(key secretKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, key)
}

// forgetExpired runs when something is added, so that neither map outgrows what
// was handed out in a day. The caller holds the lock.
func (s *sessions) forgetExpired() {
	now := s.now()
	for _, kept := range []map[secretKey]session{s.links, s.open} {
		for key, one := range kept {
			if !now.Before(one.expires) {
				delete(kept, key)
			}
		}
	}
}

// setCookie hands the session to the browser. Lax, because a person arrives by
// a link from elsewhere; nothing that changes the desk is a GET.
func (s *sessions) setCookie(w http.ResponseWriter, r *http.Request, secret string) {
	cookie := &http.Cookie{
		Name: s.cookie, Value: secret, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: r.TLS != nil, MaxAge: int(sessionLife / time.Second),
	}
	if secret == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// signIn uses up a one-time link. A browser that only guesses that the person
// will follow the link (prefetch) must not use it up for them.
func (c *Console) signIn(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || r.Header.Get("Sec-Purpose") != "" || r.Header.Get("Purpose") != "" {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	current, signedIn := c.sessions.of(r)
	secret, ok := c.sessions.begin(r.URL.Query().Get("token"))
	if !ok {
		c.send(w, r, current, response{status: http.StatusGone, template: "link", data: signedIn})
		return
	}
	if signedIn {
		c.sessions.end(current.key)
	}
	c.sessions.setCookie(w, r, secret)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// signOut ends the session. guard has refused the request by now if it came
// from another site.
func (c *Console) signOut(w http.ResponseWriter, r *http.Request) {
	if current, ok := c.sessions.of(r); ok {
		c.sessions.end(current.key)
		c.drafts.forget(current.key)
	}
	c.sessions.setCookie(w, r, "")
	c.send(w, r, session{}, response{template: "signed-out"})
}
