package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/attachment"
)

// memoryFile is a file whose end may be missing.
type memoryFile struct {
	*bytes.Reader
	from  int64 // where the fault begins; 0: nowhere
	fault error
}

func (f memoryFile) ReadAt(p []byte, at int64) (int, error) {
	if f.fault != nil && at >= f.from {
		return 0, f.fault
	}
	return f.Reader.ReadAt(p, at)
}

func (f memoryFile) Read(p []byte) (int, error) {
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && f.fault != nil && at >= f.from {
		return 0, f.fault
	}
	if f.fault != nil {
		p = p[:min(int64(len(p)), f.from-at)]
	}
	return f.Reader.Read(p)
}

// withFiles is a console whose event 10 has files: of the case, of identity and of protection.
func withFiles(t *testing.T, files ...Attachment) (c *Console, taken *[]string) {
	t.Helper()
	c, taken = open(t, february(newMemoryView(t)), nil), &[]string{}
	for i := range files {
		files[i].Taken = func(_ context.Context, person string) error {
			*taken = append(*taken, person+" "+files[i].Name)
			return nil
		}
	}
	c.config.Attachments = func(_ context.Context, index uint64) ([]Attachment, error) {
		if index != 10 {
			return nil, nil
		}
		return files, nil
	}
	return c, taken
}

func fileOf(compartment, name, declared string, text []byte) Attachment {
	return Attachment{Compartment: compartment, Name: name, MediaType: declared, Size: uint64(len(text)), Tag: fmt.Sprintf("%x", name),
		Open: func(context.Context) File { return memoryFile{Reader: bytes.NewReader(text)} }}
}

// An HTML file never renders: it is bytes for the person's disk, whatever its name and its
// declared type are, and the page beside it says what it is.
func TestHTMLFileDoesNotRender(t *testing.T) {
	hostile := []byte("<!DOCTYPE html><script>alert(document.cookie)</script>")
	for _, declared := range []string{"text/html", "image/jpeg", ""} {
		c, taken := withFiles(t, fileOf("case", "photo.jpg\" onload=x.html", declared, hostile))
		b := signIn(t, c, "officer")
		for _, path := range []string{"/events/10/attachments/case/0/file", "/events/10/attachments/case/0/file?type=text/html"} {
			answer := b.do("GET", path)
			header := answer.Header()
			if answer.Code != 200 || answer.Body.String() != string(hostile) {
				t.Fatalf("status %d, %d bytes", answer.Code, answer.Body.Len())
			}
			for name, want := range map[string]string{
				"Content-Type": "application/octet-stream", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
				"Content-Disposition": `attachment; filename="photo.jpg\" onload=x.html"`, "Content-Security-Policy": policy + "; sandbox",
			} {
				if header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, header.Get(name), want)
				}
			}
		}
		page := b.get("/events/10/attachments/case/0")
		for _, want := range []string{"text/html", "can run programs in a browser", "Save it as a file"} {
			if !strings.Contains(plainText(page), want) {
				t.Errorf("declared %q: the page does not say %q", declared, want)
			}
		}
		if strings.Contains(page, "<script>alert") || (declared == "image/jpeg") != strings.Contains(page, "does not begin like") {
			t.Errorf("declared %q:\n%s", declared, page)
		}
		if len(*taken) != 2 {
			t.Errorf("noted: %v", *taken)
		}
	}
}

// D05: a file is for those who work in its section; others learn nothing, not even that it is there.
func TestAdversary_D05_FileOfAnotherCompartment(t *testing.T) {
	files := []Attachment{fileOf("case", "case.pdf", "", []byte("%PDF-1.7")), fileOf("identity", "passport.png", "", []byte("\x89PNG\x0d\x0a\x1a\x0a")), fileOf("protection", "wound.jpg", "", []byte("\xff\xd8\xff"))}
	c, taken := withFiles(t, files...)
	for _, works := range [][]string{{"case"}, {"case", "identity"}, {"case", "protection"}, {"identity"}, {"intelligence"}} {
		b := signIn(t, c, "officer", works...)
		list := ""
		if answer := b.do("GET", "/events/10"); answer.Code == 200 {
			list = answer.Body.String()
		}
		for _, f := range files {
			may := strings.Contains(fmt.Sprint(works), f.Compartment)
			if strings.Contains(list, f.Name) != may {
				t.Errorf("who works in %v sees %s in the list: %t", works, f.Name, !may)
			}
			for _, path := range []string{"", "/file"} {
				for _, method := range []string{"GET", "HEAD"} {
					answer := b.do(method, "/events/10/attachments/"+f.Compartment+"/0"+path)
					if (answer.Code == 200) != may || !may && answer.Code != 404 || !may && strings.Contains(answer.Body.String(), f.Name) {
						t.Errorf("who works in %v, %s %s%s: %d", works, method, f.Name, path, answer.Code)
					}
				}
			}
		}
	}
	before := len(*taken)
	nobody := &browser{t: t, console: c}
	for _, path := range []string{"/events/10/attachments/case/0", "/events/10/attachments/case/0/file"} {
		if answer := nobody.do("GET", path); answer.Code != 401 || strings.Contains(answer.Body.String(), "case.pdf") {
			t.Errorf("who is not signed in, %s: %d", path, answer.Code)
		}
	}
	b := signIn(t, c, "officer")
	for _, path := range []string{"/events/10/attachments/case/1/file", "/events/10/attachments/case/00/file", "/events/10/attachments/none/0/file",
		"/events/9/attachments/case/0/file", "/events/x/attachments/case/0/file", "/events/10/attachments/case/-1"} {
		if answer := b.do("GET", path); answer.Code != 404 {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
	if len(*taken) != before {
		t.Errorf("noted what nobody got: %v", (*taken)[before:])
	}
}

// A download goes on where it broke off, and is noted once.
func TestDownloadGoesOn(t *testing.T) {
	text := bytes.Repeat([]byte("0123456789"), 50_000)
	c, taken := withFiles(t, fileOf("case", "หลักฐาน.bin", "", text))
	b := signIn(t, c, "officer")
	get := func(headers ...string) *httptest.ResponseRecorder {
		answer, request := httptest.NewRecorder(), httptest.NewRequest("GET", "/events/10/attachments/case/0/file", nil)
		request.AddCookie(b.cookie)
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
		}
		c.ServeHTTP(answer, request)
		return answer
	}
	whole := get()
	if whole.Header().Get("Content-Disposition") != "attachment; filename*=utf-8''%E0%B8%AB%E0%B8%A5%E0%B8%B1%E0%B8%81%E0%B8%90%E0%B8%B2%E0%B8%99.bin" {
		t.Errorf("its name: %s", whole.Header().Get("Content-Disposition"))
	}
	tag := whole.Header().Get("ETag")
	rest := get("Range", "bytes=300000-", "If-Range", tag)
	if rest.Code != http.StatusPartialContent || !bytes.Equal(rest.Body.Bytes(), text[300_000:]) || rest.Header().Get("Content-Range") != "bytes 300000-499999/500000" {
		t.Errorf("the rest: %d, %d bytes, %v", rest.Code, rest.Body.Len(), rest.Header())
	}
	if other := get("Range", "bytes=300000-", "If-Range", `"another"`); other.Code != 200 || other.Body.Len() != len(text) {
		t.Errorf("of a file that has changed: %d, %d bytes", other.Code, other.Body.Len())
	}
	for _, odd := range []string{"bytes=500000-", "bytes=999999999999999999999-", "bytes=-5", "bytes=x", "bytes=5-2", "pieces=1-"} {
		if answer := get("Range", odd); answer.Code >= 500 {
			t.Errorf("%s: %d", odd, answer.Code)
		}
	}
	if len(*taken) < 1 || len(*taken) > 8 {
		t.Errorf("noted: %d", len(*taken))
	}
}

// Why a file cannot be had is said, and never half a page or a blank.
func TestFileThatCannotBeHadSaysWhy(t *testing.T) {
	text := bytes.Repeat([]byte("x"), 10_000)
	for _, test := range []struct {
		fault error
		want  string
	}{
		{attachment.Missing, "keeps it back"}, {attachment.Erased, "has erased it"}, {attachment.Moved, "another order"}, {attachment.Cut, "is cut short"},
		{attachment.Altered, "something else instead"}, {attachment.Broken, "does not open"}, {errors.New("a secret of the network"), "cannot be reached"},
	} {
		c, taken := withFiles(t, Attachment{Compartment: "case", Name: "a.bin", Size: uint64(len(text)), Tag: "t", Open: func(context.Context) File {
			return memoryFile{bytes.NewReader(text), 0, fmt.Errorf("chunk 0 of 1: %w", test.fault)}
		}})
		b := signIn(t, c, "officer")
		page, file := b.do("GET", "/events/10/attachments/case/0"), b.do("GET", "/events/10/attachments/case/0/file")
		for _, answer := range []*httptest.ResponseRecorder{page, file} {
			if !strings.Contains(plainText(answer.Body.String()), test.want) || strings.Contains(answer.Body.String(), "secret") {
				t.Errorf("%v: %d %s", test.fault, answer.Code, plainText(answer.Body.String()))
			}
		}
		if file.Code != http.StatusBadGateway || len(*taken) != 0 || file.Header().Get("Content-Disposition") != "" {
			t.Errorf("%v: %d, noted %v", test.fault, file.Code, *taken)
		}
	}
	c, _ := withFiles(t, Attachment{Compartment: "case", Reason: string(attachment.Malformed)})
	b := signIn(t, c, "officer")
	if page := plainText(b.get("/events/10")); !strings.Contains(page, "made its entry wrongly") {
		t.Errorf("an entry out of form: %s", page)
	}
	if answer := b.do("GET", "/events/10/attachments/case/0/file"); answer.Code != 404 {
		t.Errorf("its bytes: %d", answer.Code)
	}
	// In the middle: fewer bytes than were told, so the browser knows.
	c, _ = withFiles(t, Attachment{Compartment: "case", Name: "a.bin", Size: uint64(len(text)), Tag: "t", Open: func(context.Context) File {
		return memoryFile{bytes.NewReader(text), 6000, attachment.Missing}
	}})
	answer := signIn(t, c, "officer").do("GET", "/events/10/attachments/case/0/file")
	if answer.Body.Len() != 6000 || answer.Header().Get("Content-Length") != "10000" {
		t.Errorf("%d bytes of %s", answer.Body.Len(), answer.Header().Get("Content-Length"))
	}
}

// What a file is, by its beginning and its name.
func TestFilesThatLieAboutTheirType(t *testing.T) {
	jpeg, png, zip := "\xff\xd8\xff\xe0", "\x89PNG\x0d\x0a\x1a\x0a", "PK\x03\x04"
	for _, test := range []struct {
		name, declared, beginning string
		kind                      string
		differs                   bool
		dangers                   string
	}{
		{"a.jpg", "image/jpeg", jpeg, "image/jpeg", false, "[]"},
		{"a.jpg", "", jpeg, "image/jpeg", false, "[]"},
		{"a.jpg", "image/png", jpeg, "image/jpeg", true, "[]"},
		{"a.jpg", "image/jpeg", "MZ\x90\x00", "application/vnd.microsoft.portable-executable", true, "[program]"},
		{"a.jpg", "image/jpeg", "\x7fELF\x02", "application/x-elf", true, "[program]"},
		{"a.txt", "text/plain", "#!/bin/sh\n", "text/x-script", true, "[program]"},
		{"photo.jpg.exe", "image/jpeg", jpeg, "image/jpeg", false, "[program]"},
		{"photo.exe. ", "image/jpeg", jpeg, "image/jpeg", false, "[program]"},
		{"a.svg", "image/svg+xml", `<?xml version="1.0"?><svg onload="x">`, "image/svg+xml", false, "[page]"},
		{"a.png", "image/png", `<svg xmlns="x">`, "image/svg+xml", true, "[page]"},
		{"a.txt", "text/plain", "hello <SCRIPT>x</SCRIPT>", "text/html", true, "[page]"},
		{"polyglot.jpg", "image/jpeg", jpeg + "<html><script>", "image/jpeg", false, "[page]"},
		{"a.zip", "application/zip", zip, "application/zip", false, "[archive]"},
		{"a.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", zip, "application/zip", false, "[archive]"},
		{"a.png", "image/png", zip, "application/zip", true, "[archive]"},
		{"a.doc", "application/msword", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", false, "[macros]"},
		{"a.7z", "", "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", false, "[archive]"},
		{"a.tar", "", strings.Repeat("x", 257) + "ustar\x0000", "application/x-tar", false, "[archive]"},
		{"a.pdf", "application/pdf", "%PDF-1.4", "application/pdf", false, "[document]"},
		{"a.csv", "text/csv", "a,b,c\n", "text/plain", false, "[]"},
		{"a.json", "application/json", `{"a":1}`, "text/plain", false, "[]"},
		{"a.jpg", "image/jpeg", "just text", "text/plain", true, "[]"},
		{"a.jpg", "image/jpeg", "\x00\x01\x02", "application/octet-stream", true, "[]"},
		{"a.bin", "application/x-own-format", "\x00\x01\x02", "application/octet-stream", false, "[]"},
		{"a", "not a type", png, "image/png", true, "[]"},
	} {
		got := look(test.name, test.declared, []byte(test.beginning))
		if got.kind != test.kind || got.differs != test.differs || fmt.Sprint(got.dangers) != test.dangers {
			t.Errorf("%s, declared %q, %.12q: %+v", test.name, test.declared, test.beginning, got)
		}
	}
	texts := english(t)
	for _, dangers := range []map[string]string{kindDangers, endDangers} {
		for _, danger := range dangers {
			if texts["danger."+danger] == "" {
				t.Errorf("no words for the danger %q", danger)
			}
		}
	}
}
