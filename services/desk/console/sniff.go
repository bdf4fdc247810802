package console

import (
	"bytes"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// lookedAt is how much of a file's beginning is looked at, in bytes.
const lookedAt = 4 << 10

// looked is what a file's beginning and name tell.
type looked struct {
	kind    string   // a media type, by net/http's table (WHATWG MIME Sniffing) and ours
	differs bool     // from the declared one
	dangers []string // codes
}

// magic are beginnings that net/http does not know, or calls something harmless.
var magic = []struct{ beginning, kind, danger string }{
	{"MZ", "application/vnd.microsoft.portable-executable", "program"},
	{"\x7fELF", "application/x-elf", "program"},
	{"\xfe\xed\xfa", "application/x-mach-binary", "program"},
	{"\xca\xfe\xba\xbe", "application/x-mach-binary", "program"},
	{"\xcf\xfa\xed\xfe", "application/x-mach-binary", "program"},
	{"\xce\xfa\xed\xfe", "application/x-mach-binary", "program"},
	{"dex\n", "application/vnd.android.dex", "program"},
	{"#!", "text/x-script", "program"},
	{"L\x00\x00\x00\x01\x14\x02\x00", "application/x-ms-shortcut", "program"},
	{"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage", "macros"},
	{"{\\rtf", "application/rtf", "macros"},
	{"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed", "archive"},
	{"\xfd7zXZ\x00", "application/x-xz", "archive"},
	{"BZh", "application/x-bzip2", "archive"},
	{"\x28\xb5\x2f\xfd", "application/zstd", "archive"},
	{"%PDF-", "application/pdf", "document"},
}

// kinds that are dangerous whatever else is true.
var kindDangers = map[string]string{
	"text/html": "page", "image/svg+xml": "page", "text/xml": "page", "application/zip": "archive", "application/x-gzip": "archive",
	"application/x-rar-compressed": "archive", "application/x-tar": "archive", "application/wasm": "program",
}

// ends of names that make a system run or render a file.
var endDangers = map[string]string{
	".exe": "program", ".com": "program", ".scr": "program", ".msi": "program", ".dll": "program", ".bat": "program", ".cmd": "program",
	".ps1": "program", ".vbs": "program", ".js": "program", ".jse": "program", ".wsf": "program", ".hta": "program", ".lnk": "program",
	".jar": "program", ".apk": "program", ".sh": "program", ".py": "program", ".desktop": "program", ".reg": "program", ".app": "program",
	".html": "page", ".htm": "page", ".xhtml": "page", ".svg": "page", ".mht": "page", ".url": "page",
	".zip": "archive", ".rar": "archive", ".7z": "archive", ".gz": "archive", ".tar": "archive", ".xz": "archive", ".bz2": "archive",
	".iso": "archive", ".img": "archive", ".cab": "archive",
	".doc": "macros", ".xls": "macros", ".ppt": "macros", ".docm": "macros", ".xlsm": "macros", ".pptm": "macros", ".rtf": "macros", ".pdf": "document",
}

// look tells what a file is by its beginning, and what to be careful of.
func look(name, declared string, beginning []byte) looked {
	kind, _, _ := strings.Cut(http.DetectContentType(beginning), ";")
	var dangers []string
	for _, m := range magic {
		if bytes.HasPrefix(beginning, []byte(m.beginning)) {
			kind, dangers = m.kind, append(dangers, m.danger)
			break
		}
	}
	if len(beginning) > 262 && string(beginning[257:262]) == "ustar" {
		kind = "application/x-tar"
	}
	lower := bytes.ToLower(beginning)
	for mark, marked := range map[string]string{"<svg": "image/svg+xml", "<script": "text/html", "<html": "text/html", "<!doctype html": "text/html"} {
		if bytes.Contains(lower, []byte(mark)) {
			dangers = append(dangers, "page")
			if strings.HasPrefix(kind, "text/") {
				kind = marked
			}
		}
	}
	dangers = append(dangers, kindDangers[kind], endDangers[strings.ToLower(path.Ext(strings.TrimRight(name, " .")))])
	slices.Sort(dangers)
	dangers = slices.DeleteFunc(slices.Compact(dangers), func(danger string) bool { return danger == "" })
	return looked{kind: kind, differs: differs(declared, kind), dangers: dangers}
}

// differs says whether a file does not begin as its declared type does. Where that type
// has no beginning of its own, or is one inside an archive or a text, nobody can tell.
func differs(declared, kind string) bool {
	base, _, err := mime.ParseMediaType(declared)
	switch {
	case declared == "" || err == nil && base == kind:
		return false
	case err != nil:
		return true
	case kind == "text/plain":
		return !isText(base)
	case kind == "application/octet-stream":
		return isText(base) || slices.Contains(recognised, base)
	case kind == "application/zip":
		return isText(base) || slices.Contains(recognised, base)
	case kind == "text/xml":
		return !strings.HasSuffix(base, "xml")
	case kind == "application/x-ole-storage":
		return isText(base) || slices.Contains(recognised, base)
	}
	return true
}

// recognised are types that look knows by their beginning.
var recognised = []string{
	"image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "application/pdf", "video/webm", "video/mp4", "audio/mpeg",
	"audio/wave", "application/x-gzip", "application/zip", "application/x-rar-compressed", "text/html",
}

func isText(base string) bool {
	return strings.HasPrefix(base, "text/") && base != "text/html" || slices.Contains([]string{"application/json", "application/xml", "application/x-ndjson", "message/rfc822"}, base)
}
