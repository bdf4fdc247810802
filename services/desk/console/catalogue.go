package console

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed text
var textFiles embed.FS

// catalogue is every text of the console in one language, by key: one JSON
// object a language in text/, in plain text without markup. A text may hold fmt
// verbs for its arguments, numbered (%[1]s) so that a translation may reorder them.
type catalogue map[string]string

func loadCatalogue(language string) (catalogue, error) {
	raw, err := textFiles.ReadFile("text/" + language + ".json")
	if err != nil {
		return nil, fmt.Errorf("reading the console's texts: %w", err)
	}
	texts := catalogue{}
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, fmt.Errorf("reading the console's texts in %s: %w", language, err)
	}
	return texts, nil
}

// text is the text of a key. A key that is missing fails the page, so that a
// test finds it before a reader does.
func (c catalogue) text(key string, args ...any) (string, error) {
	text, ok := c[key]
	if !ok {
		return "", fmt.Errorf("no text %q", key)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// word is the text for a code that the log gave, for example a kind or a
// verdict. Codes grow with the log, so one without a text is shown as it is.
func (c catalogue) word(group, code string) string {
	if text, ok := c[group+"."+code]; ok {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(code, "_", " "), ".", ": ")
}

// number writes a count with the language's grouping.
func (c catalogue) number(n uint64) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + c["number.group"] + digits[at:]
	}
	return digits
}
