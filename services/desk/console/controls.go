package console

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// revealControls replaces characters that change how text around them reads
// without being seen: the bidirectional embeddings, overrides and isolates
// (Unicode Annex 9), line and paragraph separators, and control characters but
// for tab and newline. Each becomes its code point in brackets. Joiners stay:
// Burmese, Thai and Persian need them.
//
// It runs over whole documents (HTML or JSON) just before they are sent, so no
// page can forget it; the console's own texts hold none of these.
func revealControls(document []byte) []byte {
	if bytes.IndexFunc(document, isHidden) < 0 {
		return document
	}
	shown := make([]byte, 0, len(document)+64)
	for rest := document; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if isHidden(r) {
			shown = fmt.Appendf(shown, "[U+%04X]", r)
		} else {
			shown = append(shown, rest[:size]...)
		}
		rest = rest[size:]
	}
	return shown
}

func isHidden(r rune) bool {
	switch {
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x2028, r == 0x2029:
		return true
	case r < 0x20:
		return r != '\t' && r != '\n' && r != '\r'
	}
	return r >= 0x7F && r <= 0x9F || r == 0xFEFF
}
