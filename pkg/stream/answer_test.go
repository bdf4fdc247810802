package stream

import (
	"strings"
	"testing"
)

func TestAnswerToACommitIsCheckedStrictly(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		says         string // part of the error, "" for none
	}{
		{"as the server answers", `{"stream":"EVENTS","seq":7,"batch":"b","count":3}`, ""},
		{"in a domain", `{"stream":"EVENTS","domain":"hub","seq":3,"batch":"b","count":3}`, ""},
		{"another batch", `{"stream":"EVENTS","seq":7,"batch":"c","count":3}`, "another batch"},
		{"no batch", `{"stream":"EVENTS","seq":7}`, "another batch"},
		{"fewer", `{"stream":"EVENTS","seq":7,"batch":"b","count":2}`, "stored 2 messages"},
		{"more", `{"stream":"EVENTS","seq":7,"batch":"b","count":4}`, "stored 4 messages"},
		{"no count", `{"stream":"EVENTS","seq":7,"batch":"b"}`, "stored 0 messages"},
		{"no stream", `{"seq":7,"batch":"b","count":3}`, "no place"},
		{"a sequence too small", `{"stream":"EVENTS","seq":2,"batch":"b","count":3}`, "no place"},
		{"refused", `{"stream":"EVENTS","seq":0,"error":{"code":400,"err_code":10176,"description":"incomplete"}}`, `refuses it: "incomplete" (10176)`},
		{"refused and accepted", `{"stream":"EVENTS","seq":7,"batch":"b","count":3,"error":{}}`, "refuses it"},
		{"a negative count", `{"stream":"EVENTS","seq":7,"batch":"b","count":-3}`, "cannot be read"},
		{"no JSON", `+OK`, "cannot be read"},
		{"empty", ``, "cannot be read"},
		{"two answers", `{"stream":"EVENTS","seq":7,"batch":"b","count":3}{}`, "cannot be read"},
	} {
		last, err := committed([]byte(c.answer), "b", 3)
		switch {
		case c.says == "" && (err != nil || last < 3):
			t.Errorf("%s: %d, %v", c.name, last, err)
		case c.says != "" && (err == nil || last != 0 || !strings.Contains(err.Error(), c.says)):
			t.Errorf("%s: %d, %v; want %q", c.name, last, err, c.says)
		}
	}
}

func TestAnswerToTheFirstIsEmpty(t *testing.T) {
	for answer, says := range map[string]string{
		"":                            "",
		`{"stream":"EVENTS","seq":1}`: "does not know atomic batches",
		`{"error":{"err_code":10174,"description":"atomic publish is disabled"}}`: "atomic publish is disabled",
		`{`: "cannot be read",
	} {
		err := opened([]byte(answer))
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v; want %q", answer, err, says)
		}
	}
}

// FuzzAnswer: whatever the hub answers, a batch counts as stored only with its
// own identifier, its own count and a sequence that can be.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"stream":"EVENTS","seq":7,"batch":"b","count":3}`))
	f.Add([]byte(`{"stream":"EVENTS","seq":7,"batch":"b","count":2}`))
	f.Add([]byte(`{"stream":"EVENTS","seq":0,"error":{"code":400,"err_code":10176,"description":"incomplete"}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		a, _ := readAck(answer)
		last, err := committed(answer, "b", 3)
		if err == nil && (a.Batch != "b" || a.Count != 3 || a.Error != nil || last != a.Sequence || last < 3) {
			t.Errorf("%q was taken as stored up to %d", answer, last)
		}
		if opened(answer) == nil && len(answer) != 0 {
			t.Errorf("%q was taken as staged", answer)
		}
	})
}
