package registry_test

import (
	"fmt"
	"testing"

	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
)

// A list of names is compared with itself before any signature is looked at, so
// that an unsigned update of 256 KB with tens of thousands of purposes held up
// every reader for most of a second.
func TestNamesOfAnAudienceAreFew(t *testing.T) {
	l := NewLog(t)
	names := func(n int) []string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("purpose-%d", i))
		}
		return all
	}
	form := Form("many", "XA", "XB")
	form.GetAudienceFormed().Audience.Purposes = names(65)
	unproposed(t, l, "65 names, at most 64", form)
	unproposed(t, l, "65 names, at most 64", AmendAudience("pair", names(65)...))
	classes := Form("many", "XA", "XB")
	classes.GetAudienceFormed().Audience.RetentionClasses = names(65)
	unproposed(t, l, "65 names, at most 64", classes)
	form.GetAudienceFormed().Audience.Purposes = names(64)
	l.Apply(t, form, "root XA", "root XB")
}
