package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// office is a stopped pilot whose registry is changed by hand.
type office struct {
	t    *testing.T
	data string
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, data: filepath.Join(t.TempDir(), "pilot-data")}
	command(t, "pilot", "--data", o.data, "--once", "--output", "json")
	return o
}

// registry runs a subcommand and wants its exit code and words.
func (o *office) registry(code int, want string, args ...string) {
	o.t.Helper()
	got, out := run(o.t, tripoint(o.t), "", "", append([]string{"registry", "--data", o.data}, args...)...)
	if got != code || !strings.Contains(out, want) {
		o.t.Errorf("registry %s: exit %d, want %d with %q:\n%s", strings.Join(args, " "), got, code, want, out)
	}
}

func (o *office) paper(name string) string   { return filepath.Join(o.data, name+".json") }
func (o *office) root(country string) string { return filepath.Join(o.data, "roots", country+".key") }

func (o *office) sign(name string, countries ...string) {
	o.t.Helper()
	for _, country := range countries {
		o.registry(0, "Signed as the root of "+country, "sign", o.paper(name), "--key", o.root(country), "--unsealed", "--yes")
	}
}

// Each way in which a proposal cannot apply has words that say what is missing.
func TestProposalsThatCannotApply(t *testing.T) {
	o := newOffice(t)
	suspend := o.paper("suspend")
	o.registry(0, "MM is suspended: it publishes, reads and cosigns nothing", "propose", "suspend", "MM", "--reason", "made up", "--out", suspend)
	o.registry(1, "not signed by 2 more of CN, MM, TH: it takes the charter's threshold, and nobody has signed", "submit", suspend)
	o.sign("suspend", "CN")
	o.registry(1, "the root of CN has signed already", "sign", suspend, "--key", o.root("CN"), "--unsealed", "--yes")
	o.registry(1, "has no part in this update", "sign", suspend, "--key", filepath.Join(o.data, "notary", "notary.key"), "--unsealed", "--yes")
	o.registry(1, "not signed", "sign", suspend, "--key", o.root("TH"), "--unsealed") // nobody types yes
	o.registry(1, "not signed by 1 more of MM, TH: it takes the charter's threshold, and CN has signed", "submit", suspend)
	o.registry(0, "It lacks: not signed by 1 more of MM, TH", "review", suspend)

	// For another log.
	other := newOffice(t)
	o.registry(1, "does not found the charter", "review", suspend, "--charter", filepath.Join(other.data, "charter"))
	other.registry(1, "for the charter", "submit", suspend)

	// Malformed: cut on the way, and another file altogether.
	whole, err := os.ReadFile(suspend)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(o.paper("cut"), whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	o.registry(1, "not a proposal", "submit", o.paper("cut"))
	o.registry(1, "not a proposal", "review", filepath.Join(o.data, "charter"))

	// Built on what is not the newest any more, and expired.
	o.registry(0, "will live for 7 days", "propose", "amend-retention", "case=7", "--out", o.paper("case"))
	o.registry(0, "retires its agency border", "propose", "retire-agency", "TH/border", "--expires-after", "0", "--out", o.paper("retire"))
	o.sign("case", "CN", "TH")
	o.sign("suspend", "TH")
	o.sign("retire", "TH")
	o.registry(0, "In force from log index 30", "submit", o.paper("case"))
	o.registry(0, "In force from log index 30", "submit", o.paper("case")) // again is as good as once
	o.registry(1, "built on version 1", "submit", suspend)
	o.registry(1, "expired: it could apply up to index 1", "submit", o.paper("retire"))
	o.registry(0, "+ retention class case: 7 days", "diff", "29", "30")

	// What can never be, nobody needs to sign.
	o.registry(1, `"XX" is no member`, "propose", "suspend", "XX", "--reason", "made up", "--out", o.paper("x"))
	o.registry(1, "reason: want 1 to 500 bytes", "propose", "suspend", "MM", "--out", o.paper("x"))
	o.registry(2, "want the owner of a key", "propose", "revoke-key", "MM", "--out", o.paper("x"))
	o.registry(2, "say --key FILE", "propose", "enrol-key", "MM:mirror", "--out", o.paper("x"))
}
