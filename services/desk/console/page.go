package console

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

//go:embed templates
var templateFiles embed.FS

// pages are the templates, each joined with the layout and the shared parts,
// in one language. They are written as well-formed XML, so that a test can say
// that every page is.
type pages struct {
	language string
	texts    catalogue
	byName   map[string]*template.Template
}

func loadPages(language string, assets *assets) (*pages, error) {
	texts, err := loadCatalogue(language)
	if err != nil {
		return nil, err
	}
	loaded := &pages{language: language, texts: texts, byName: map[string]*template.Template{}}
	shared, err := template.New("").Funcs(texts.functions(assets)).Option("missingkey=error").
		ParseFS(templateFiles, "templates/layout.html", "templates/part-*.html")
	if err != nil {
		return nil, fmt.Errorf("reading the console's templates: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("listing the console's templates: %w", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || strings.HasPrefix(name, "part-") {
			continue
		}
		own, err := shared.Clone()
		if err == nil {
			own, err = own.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("reading the console's template %s: %w", name, err)
		}
		loaded.byName[name] = own
	}
	return loaded, nil
}

// functions are what templates may call. What an agency wrote goes through the
// template's own escaping and nothing else.
func (c catalogue) functions(assets *assets) template.FuncMap {
	return template.FuncMap{
		"t":      c.text,
		"word":   c.word,
		"num":    c.any,
		"asset":  assets.path,
		"href":   hrefOf,
		"words":  c.words,
		"value":  c.value,
		"nav":    func() []navigation { return navigations },
		"tabs":   func() []tab { return tabs },
		"legend": func() []mark { return marks },
		"open":   openOnes,
		"utc": func(t time.Time) string {
			if t.IsZero() {
				return ""
			}
			return t.UTC().Format("2006-01-02 15:04:05 UTC")
		},
		"recorded": recorded,
		"stated":   stated,
		"join":     strings.Join,
	}
}

// any is number for the integer types that documents have; nil is not stated.
func (c catalogue) any(n any) (string, error) {
	switch n := n.(type) {
	case uint64:
		return c.number(n), nil
	case uint32:
		return c.number(uint64(n)), nil
	case int:
		return c.number(uint64(max(n, 0))), nil
	case *uint32:
		if n == nil {
			return c["number.unstated"], nil
		}
		return c.number(uint64(*n)), nil
	case *uint64:
		if n == nil {
			return c["number.unstated"], nil
		}
		return c.number(*n), nil
	}
	return "", fmt.Errorf("%T is no number", n)
}

// stated shows a time as its originator stated it, offset included, and does
// not turn it into anybody else's time.
func stated(occurred string) string {
	if len(occurred) < 20 || occurred[10] != 'T' {
		return occurred
	}
	return occurred[:10] + " " + occurred[11:19] + " " + strings.Replace(occurred[19:], "Z", "UTC", 1)
}

// recorded shows a publisher's RFC 3339 time to the second.
func recorded(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return rfc3339
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// paths of the entities that have a page.
var paths = map[string]string{
	casework.TypeTransfer: "/transfers/", casework.TypeSite: "/sites/", casework.TypeMeasure: "/measures/",
	casework.TypeCommitment: "/commitments/", casework.TypeMeeting: "/meetings/", casework.TypeGroup: "/groups/",
	casework.TypePerson: "/people/", casework.TypeRepatriation: "/repatriations/", casework.TypeRecall: "/protection/recalls/",
}

// hrefOf is the address of an entity's page; empty where it has none.
func hrefOf(ref casework.Ref) string {
	prefix, ok := paths[ref.Type]
	if !ok {
		return ""
	}
	return prefix + url.PathEscape(ref.ID)
}

// errNotFound makes the page that says so, with status 404.
var errNotFound = errors.New("not found")

// page produces the content of one address.
type page func(*http.Request, session) (response, error)

// response is a template with its data.
type response struct {
	status   int // default: 200
	template string
	title    string // default: the text "<template>.title"
	data     any
}

// frame is what the layout needs besides the page's own data.
type frame struct {
	Language string
	Country  string
	Title    string
	Path     string   // the part of the address that the navigation marks
	Role     string   // empty: nobody is signed in
	Works    []string // compartments
	Status   Status
	Now      time.Time
	Data     any
}

// signedIn shows a page to those who have a session, and to all others how to get one.
func (c *Console) signedIn(show page) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		current, ok := c.sessions.of(r)
		if !ok {
			c.askToSignIn(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			c.send(w, r, current, response{status: http.StatusMethodNotAllowed, template: "method"})
			return
		}
		shown, err := show(r, current)
		switch {
		case errors.Is(err, errNotFound):
			c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		case errors.Is(err, view.ErrFolding):
			w.Header().Set("Retry-After", "5")
			c.send(w, r, current, response{status: http.StatusServiceUnavailable, template: "folding"})
		case errors.As(err, &sealedError{}):
			c.send(w, r, current, c.sealed(err))
		case err != nil:
			c.fail(w, r, current, err)
		default:
			c.send(w, r, current, shown)
		}
	})
}

// sealed is the page in place of one whose content lies in a compartment that the person does
// not work in. It is the same whether there is anything or not.
func (c *Console) sealed(err error) response {
	elsewhere := sealedError{}
	errors.As(err, &elsewhere)
	return response{status: http.StatusForbidden, template: "sealed", data: elsewhere.compartment}
}

func (c *Console) askToSignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Tripoint-Link realm="desk"`)
	c.send(w, r, session{}, response{status: http.StatusUnauthorized, template: "sign-in"})
}

func (c *Console) fail(w http.ResponseWriter, r *http.Request, current session, err error) {
	if r.Context().Err() == nil {
		c.config.Logger.Error("showing a page", "path", section(r.URL.Path), "error", err)
	}
	c.send(w, r, current, response{status: http.StatusInternalServerError, template: "failed"})
}

// send renders the whole page before it writes the first byte: a page is
// shown whole or not at all.
func (c *Console) send(w http.ResponseWriter, r *http.Request, current session, shown response) {
	body, err := c.render(r, current, shown)
	if err != nil && shown.template != "failed" {
		c.fail(w, r, current, err)
		return
	}
	if err != nil {
		http.Error(w, "The desk cannot show its pages.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", c.pages.language)
	sendBody(w, r, max(shown.status, http.StatusOK), body)
}

func (c *Console) render(r *http.Request, current session, shown response) ([]byte, error) {
	parsed, ok := c.pages.byName[shown.template]
	if !ok {
		return nil, fmt.Errorf("no template %q", shown.template)
	}
	if shown.title == "" {
		title, err := c.pages.texts.text(shown.template + ".title")
		if err != nil {
			return nil, err
		}
		shown.title = title
	}
	var out bytes.Buffer
	err := parsed.ExecuteTemplate(&out, "layout", frame{
		Language: c.pages.language, Country: c.config.Country, Title: shown.title, Path: section(r.URL.Path),
		Role: current.role, Works: current.compartments, Status: c.config.Status(), Now: c.config.Now(), Data: shown.data,
	})
	if err != nil {
		return nil, fmt.Errorf("rendering %s: %w", shown.template, err)
	}
	return revealControls(out.Bytes()), nil
}

// section is the first element of a path: what the navigation marks, and what a
// log may say of an address that can hold an identifier.
func section(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return "/" + first
}
