package casework

import (
	"fmt"
	"regexp"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// The words of summaries.

// people says how many; a count that is not stated is not zero.
func people(c *caseworkv1.Count) string {
	switch {
	case c == nil:
		return "an unstated number of people"
	case c.Total == 1:
		return "1 person"
	}
	return fmt.Sprintf("%d people", c.Total)
}

var countryCode = regexp.MustCompile(`^([A-Z]{2}|several)$`)

// shownCode returns a country code, or a question mark for text in its place.
func shownCode(text string) string {
	if !countryCode.MatchString(text) {
		return "?"
	}
	return text
}
