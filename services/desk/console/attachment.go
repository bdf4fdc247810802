package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tripoint/tripoint/pkg/attachment"
)

// Attachments are the files of the event at a log index that the desk can open now, by section.
type Attachments func(ctx context.Context, index uint64) ([]Attachment, error)

// Attachment is one file of an event. What its originator says of it is shown and not believed.
type Attachment struct {
	Compartment string
	Number      int    // in its section, from 0
	Reason      string // code: why it is no file; empty: it is one, and what follows is set
	Name        string
	MediaType   string // empty: not said
	Size        uint64
	Tag         string                              // differs where the content differs
	Open        func(ctx context.Context) File      // fetches as it is read; its errors have an attachment.Reason, or the hub is away
	Taken       func(context.Context, string) error // notes that a person takes it away, before it is
}

// File is what an attachment says.
type File interface {
	io.ReadSeeker
	io.ReaderAt
}

// Link is the address of its page.
func (a Attachment) link(index uint64) string {
	return fmt.Sprintf("/events/%d/attachments/%s/%d", index, a.Compartment, a.Number)
}

// linkedFile is a file in the list of an event's page.
type linkedFile struct {
	Attachment
	Link string
	Why  string
}

// filesOf are the event's files that this person may have.
func (c *Console) filesOf(r *http.Request, current session, at uint64) ([]linkedFile, error) {
	if c.config.Attachments == nil {
		return nil, nil
	}
	all, err := c.config.Attachments(r.Context(), at)
	if err != nil {
		return nil, err
	}
	var shown []linkedFile
	for _, a := range all {
		if current.works(a.Compartment) {
			shown = append(shown, linkedFile{a, a.link(at), c.whyNoFile(a.Reason)})
		}
	}
	return shown, nil
}

func (c *Console) whyNoFile(reason string) string {
	if reason == "" {
		return ""
	}
	return c.pages.texts.word("no-file", reason)
}

// fileAt finds the file that a request asks for; errNotFound also where it is not for this person.
func (c *Console) fileAt(r *http.Request, current session) (linkedFile, uint64, error) {
	at, err := index(r.PathValue("index"))
	if err != nil {
		return linkedFile{}, 0, errNotFound
	}
	all, err := c.filesOf(r, current, at)
	if err != nil {
		return linkedFile{}, 0, err
	}
	i := slices.IndexFunc(all, func(f linkedFile) bool {
		return f.Compartment == r.PathValue("compartment") && strconv.Itoa(f.Number) == r.PathValue("number")
	})
	if i < 0 {
		return linkedFile{}, 0, errNotFound
	}
	return all[i], at, nil
}

// attachmentPage is one file before it is taken away.
type attachmentPage struct {
	linkedFile
	Index   uint64
	Seen    string   // what it begins like; empty: it could not be looked at
	Differs bool     // from what its originator says
	Dangers []string // why it should not be opened without care
}

// sniffTime bounds how long a page waits for a file's first chunk.
const sniffTime = 20 * time.Second

func (c *Console) attachment(r *http.Request, current session) (response, error) {
	file, at, err := c.fileAt(r, current)
	if err != nil {
		return response{}, err
	}
	shown := attachmentPage{linkedFile: file, Index: at}
	title, err := c.pages.texts.text("attachment.title", at)
	if err != nil {
		return response{}, err
	}
	if file.Open == nil {
		return response{template: "attachment", title: title, data: shown}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), sniffTime)
	defer cancel()
	beginning, err := beginningOf(file.Open(ctx))
	if err != nil {
		shown.Why = c.whyNoFile(codeOf(err))
		return response{template: "attachment", title: title, data: shown}, nil
	}
	seen := look(file.Name, file.MediaType, beginning)
	shown.Seen, shown.Differs = seen.kind, seen.differs
	for _, danger := range seen.dangers {
		shown.Dangers = append(shown.Dangers, c.pages.texts.word("danger", danger))
	}
	return response{template: "attachment", title: title, data: shown}, nil
}

func beginningOf(file File) ([]byte, error) {
	beginning := make([]byte, lookedAt)
	n, err := file.ReadAt(beginning, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return beginning[:n], err
}

// codeOf is why a file cannot be read.
func codeOf(err error) string {
	if reason := attachment.ReasonOf(err); reason != "" {
		return string(reason)
	}
	return "away"
}

// takeAway hands a file out as bytes of no type, for the person's own disk: no browser
// shows it, whatever it is. Ranges let a download go on that broke off.
func (c *Console) takeAway(w http.ResponseWriter, r *http.Request) {
	current, ok := c.sessions.of(r)
	if !ok {
		c.askToSignIn(w, r)
		return
	}
	file, at, err := c.fileAt(r, current)
	if errors.Is(err, errNotFound) || err == nil && file.Open == nil {
		c.send(w, r, current, response{status: http.StatusNotFound, template: "missing"})
		return
	}
	content := File(nil)
	if err == nil {
		content = file.Open(r.Context())
		var one [1]byte
		if from := beginsAt(r.Header.Get("Range")); from < int64(file.Size) {
			if _, fault := content.ReadAt(one[:], from); fault != nil { // it is said on a page, and not by half a file
				c.noFile(w, r, current, at, file, fault)
				return
			}
			if r.Method == http.MethodGet && (from == 0 || !c.taken.before(current.key, r.URL.Path)) {
				if err = file.Taken(r.Context(), current.role); err == nil {
					c.taken.note(current.key, r.URL.Path)
				}
			}
		}
	}
	if err != nil {
		c.fail(w, r, current, fmt.Errorf("handing out an attachment: %w", err))
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Name}))
	header.Set("Content-Security-Policy", policy+"; sandbox")
	header.Set("ETag", `"`+file.Tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, content) // a fault in the middle breaks the answer off; the browser has fewer bytes than it was told
}

// noFile says on the file's page why it cannot be had.
func (c *Console) noFile(w http.ResponseWriter, r *http.Request, current session, at uint64, file linkedFile, fault error) {
	code := codeOf(fault)
	if r.Context().Err() == nil {
		c.config.Logger.Warn("an attachment cannot be handed out", "event", at, "reason", code)
	}
	file.Why = c.whyNoFile(code)
	title, err := c.pages.texts.text("attachment.title", at)
	if err != nil {
		c.fail(w, r, current, err)
		return
	}
	c.send(w, r, current, response{status: http.StatusBadGateway, template: "attachment", title: title, data: attachmentPage{linkedFile: file, Index: at}})
}

// beginsAt is where a range of one part begins; 0 where it is none.
func beginsAt(header string) int64 {
	first, _, ok := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if !ok || err != nil || from < 0 {
		return 0
	}
	return from
}
