package console

import (
	"bytes"
	"net/http/httptest"
	"testing"
)

// D05: an officer takes a file away from its second byte on, or in parts of which the first is
// named last, so that the list of exports has nothing of it. It is noted, once.
func TestAdversary_D05_FileTakenFromItsSecondByte(t *testing.T) {
	for _, spans := range []string{"bytes=1-", "bytes=5-9,0-"} {
		c, noted := withFiles(t, fileOf("case", "list.bin", "", bytes.Repeat([]byte("0123456789"), 100)))
		b := signIn(t, c, "officer")
		for range 2 {
			answer, request := httptest.NewRecorder(), httptest.NewRequest("GET", "/events/10/attachments/case/0/file", nil)
			request.AddCookie(b.cookie)
			request.Header.Set("Range", spans)
			c.ServeHTTP(answer, request)
			if answer.Code >= 300 {
				t.Fatalf("%s: %d", spans, answer.Code)
			}
		}
		if len(*noted) != 1 {
			t.Errorf("%s: noted %v", spans, *noted)
		}
	}
}
