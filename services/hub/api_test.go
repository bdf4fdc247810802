package hub_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/tripoint/tripoint/pkg/stream"
	"github.com/tripoint/tripoint/services/hub"
)

// What a country's account may reach of the JetStream API and of the system. The
// three lists together are every subject that the server knows; a new version
// that knows more makes the test fail until somebody has looked at it.

// lent are lent by the hub, to each user for the consumers that the hub made for
// it and for no other: "own" in the table. In a member's account those of the API
// lie under HUB.API; as $JS.API... they are the account's own API, which is off. The newest
// message on a subject of FILES is lent to a desk for the addresses that it reads: "files".
const lent = `
HUB.API.CONSUMER.INFO.*.* HUB.API.CONSUMER.MSG.NEXT.*.* HUB.API.CONSUMER.RESET.*.* $JS.ACK.*.*
`

const lentFiles = "HUB.API.DIRECT.GET.*.>"

// about are answered by the server to whom no permission of a user stops, about
// his own account and nobody else's: "self" in the table.
const about = `
$SYS.REQ.USER.INFO $SYS.REQ.SERVER.PING.CONNZ $SYS.REQ.ACCOUNT.PING.CONNZ $SYS.REQ.ACCOUNT.PING.STATZ
`

// never are refused to everybody in a country's account, as they stand here and,
// where they begin with $JS.API, under HUB.API. So is each of the calls monitored
// on $SYS.REQ.SERVER.*, $SYS.REQ.SERVER.PING, $SYS.REQ.ACCOUNT.* and $SYS.REQ.ACCOUNT.PING.
const never = `
$JS.*.API.> $JS.ACK $JS.ACK.*.*.*.* $JS.FC $JS.FC.*.*.* $JS.FC.*.*.*.*.* $JS.SNAPSHOT.ACK.*.* $JS.SNAPSHOT.RESTORE.*.*
$JS.API $JS.API.> $JS.API.ACCOUNT $JS.API.ACCOUNT.PURGE.* $JS.API.ACCOUNT.STREAM.CANCEL_MOVE.*.* $JS.API.ACCOUNT.STREAM.MOVE.*.*
$JS.API.INFO $JS.API.META.LEADER.STEPDOWN $JS.API.META.RESCUE $JS.API.SERVER.EVACUATE $JS.API.SERVER.REMOVE
$JS.API.CONSUMER.CREATE.* $JS.API.CONSUMER.CREATE.*.*.* $JS.API.CONSUMER.CREATE.*.> $JS.API.CONSUMER.DELETE.*.*
$JS.API.CONSUMER.DURABLE.CREATE.*.* $JS.API.CONSUMER.LEADER.STEPDOWN.*.* $JS.API.CONSUMER.LIST.* $JS.API.CONSUMER.MSG.NEXT
$JS.API.CONSUMER.NAMES.* $JS.API.CONSUMER.PAUSE.*.* $JS.API.CONSUMER.PEER.EVACUATE.*.* $JS.API.CONSUMER.PEER.REMOVE.*.*
$JS.API.CONSUMER.UNPIN.*.*
$JS.API.DIRECT.GET $JS.API.DIRECT.GET.* $JS.API.DIRECT.GET.*.* $JS.API.DIRECT.GET.*.>
$JS.API.STREAM.CANCEL_MOVE.* $JS.API.STREAM.CREATE.* $JS.API.STREAM.DELETE.* $JS.API.STREAM.INFO.* $JS.API.STREAM.LEADER.STEPDOWN.*
$JS.API.STREAM.LIST $JS.API.STREAM.MSG.DELETE.* $JS.API.STREAM.MSG.GET.* $JS.API.STREAM.NAMES $JS.API.STREAM.PEER.EVACUATE.*
$JS.API.STREAM.PEER.REMOVE.* $JS.API.STREAM.PURGE.* $JS.API.STREAM.RESTORE.* $JS.API.STREAM.SNAPSHOT.* $JS.API.STREAM.UPDATE.*
$JS.EVENT.ADVISORY $JS.EVENT.ADVISORY.API $JS.EVENT.ADVISORY.API.LIMIT_REACHED $JS.EVENT.ADVISORY.CONSUMER.CREATED
$JS.EVENT.ADVISORY.CONSUMER.DELETED $JS.EVENT.ADVISORY.CONSUMER.LEADER_ELECTED $JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES
$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED $JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED $JS.EVENT.ADVISORY.CONSUMER.PAUSE
$JS.EVENT.ADVISORY.CONSUMER.PINNED $JS.EVENT.ADVISORY.CONSUMER.QUORUM_LOST $JS.EVENT.ADVISORY.CONSUMER.UNPINNED
$JS.EVENT.ADVISORY.DOMAIN.LEADER_ELECTED $JS.EVENT.ADVISORY.SERVER.META_RESCUE $JS.EVENT.ADVISORY.SERVER.OUT_OF_STORAGE
$JS.EVENT.ADVISORY.SERVER.REMOVED $JS.EVENT.ADVISORY.STREAM.BATCH_ABANDONED $JS.EVENT.ADVISORY.STREAM.CREATED
$JS.EVENT.ADVISORY.STREAM.DELETED $JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED $JS.EVENT.ADVISORY.STREAM.QUORUM_LOST
$JS.EVENT.ADVISORY.STREAM.RESTORE_COMPLETE $JS.EVENT.ADVISORY.STREAM.RESTORE_CREATE $JS.EVENT.ADVISORY.STREAM.SNAPSHOT_COMPLETE
$JS.EVENT.ADVISORY.STREAM.SNAPSHOT_CREATE $JS.EVENT.ADVISORY.STREAM.UPDATED $JS.EVENT.METRIC $JS.EVENT.METRIC.CONSUMER.ACK
$SYS.ACCOUNT.*.CLAIMS.UPDATE $SYS.ACCOUNT.*.CONNECT $SYS.ACCOUNT.*.DISCONNECT $SYS.ACCOUNT.*.LEAFNODE.CONNECT $SYS.ACCOUNT.*.SERVER.CONNS
$SYS.ACCOUNT.CLIENT.AUTH.ERR $SYS.DEBUG.SUBSCRIBERS $SYS.JSC.CONSUMER.ASSIGNMENT.CREATE $SYS.JSC.CONSUMER.ASSIGNMENT.DELETE
$SYS.JSC.CONSUMER.ASSIGNMENT.RECONCILE $SYS.JSC.CONSUMER.ASSIGNMENT.RESULT $SYS.JSC.STREAM.ASSIGNMENT.RECONCILE
$SYS.JSC.STREAM.ASSIGNMENT.RESULT $SYS.LATENCY.M2.* $SYS.SERVER.*.CLIENT.AUTH.ERR $SYS.SERVER.*.LAMEDUCK $SYS.SERVER.*.OCSP.PEER.CONN.REJECT
$SYS.SERVER.*.OCSP.PEER.LINK.INVALID $SYS.SERVER.*.SHUTDOWN $SYS.SERVER.*.STATSZ $SYS.SERVER.ACCOUNT.*.CONNS $SYS._INBOX $SYS._INBOX.*.*
$SYS._INBOX_.*
$SYS.REQ.ACCOUNT.*.* $SYS.REQ.ACCOUNT.*.CLAIMS.LOOKUP $SYS.REQ.ACCOUNT.*.CLAIMS.UPDATE $SYS.REQ.ACCOUNT.NSUBS $SYS.REQ.ACCOUNT.PING.*
$SYS.REQ.CLAIMS.DELETE $SYS.REQ.CLAIMS.LIST $SYS.REQ.CLAIMS.PACK $SYS.REQ.CLAIMS.UPDATE $SYS.REQ.SERVER.*.* $SYS.REQ.SERVER.*.KICK
$SYS.REQ.SERVER.*.LDM $SYS.REQ.SERVER.*.RELOAD $SYS.REQ.SERVER.PING $SYS.REQ.SERVER.PING.* $SYS.REQ.USER.*.INFO $SYS.REQ.USER.AUTH
`

const monitored = `
ACCOUNTZ CONNS CONNZ EXPVARZ GATEWAYZ HEALTHZ IDZ INFO IPQUEUESZ JSZ LEAFZ PROFILEZ RAFTZ ROUTEZ STATSZ STATZ SUBSZ VARZ
`

// known are the subjects of the lists above, and what each is to be: "own", "self" or "".
func known() map[string]string {
	all := map[string]string{}
	for _, call := range strings.Fields(monitored) {
		for _, prefix := range []string{"SERVER.*.", "SERVER.PING.", "ACCOUNT.*.", "ACCOUNT.PING."} {
			all["$SYS.REQ."+prefix+call] = ""
		}
	}
	for _, subject := range strings.Fields(never) {
		all[subject] = ""
	}
	for _, subject := range strings.Fields(about) {
		all[subject] = "self"
	}
	for subject := range all {
		if rest, ok := strings.CutPrefix(subject, "$JS.API"); ok {
			all["HUB.API"+rest] = ""
		}
	}
	for _, subject := range strings.Fields(lent) {
		all[subject] = "own"
		if rest, ok := strings.CutPrefix(subject, "HUB.API"); ok {
			all["$JS.API"+rest] = ""
		}
	}
	all[lentFiles] = "files"
	return all
}

// subjectsOf are all subjects of the JetStream API and of the system that stand
// in the server's source: its constants, and the names of its monitoring calls.
func subjectsOf(t *testing.T) []string {
	t.Helper()
	directory, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nats-io/nats-server/v2").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(directory)), "server", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no source of the server: %v", err)
	}
	found := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(source, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GenDecl:
				if n.Tok == token.CONST {
					constants(n, found)
				}
			case *ast.CompositeLit:
				monitoring(n, found)
			}
			return true
		})
	}
	var all []string
	for subject := range found {
		all = append(all, subject)
	}
	slices.Sort(all)
	return all
}

// constants finds subjects; templates become patterns.
func constants(d *ast.GenDecl, found map[string]bool) {
	ast.Inspect(d, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
			subject, err := strconv.Unquote(text.Value)
			if err == nil && (strings.HasPrefix(subject, "$JS.") || strings.HasPrefix(subject, "$SYS.")) {
				found[strings.TrimSuffix(strings.ReplaceAll(subject, "%s", "*"), ".")] = true
			}
		}
		return true
	})
}

// monitoring finds the calls that have no constant: map[string]sysMsgHandler{"VARZ": ...}.
func monitoring(literal *ast.CompositeLit, found map[string]bool) {
	kind, ok := literal.Type.(*ast.MapType)
	if !ok {
		return
	}
	if value, ok := kind.Value.(*ast.Ident); !ok || value.Name != "sysMsgHandler" {
		return
	}
	for _, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.BasicLit); ok {
				name, err := strconv.Unquote(key.Value)
				if err == nil {
					found["$SYS.REQ.SERVER.*."+name], found["$SYS.REQ.SERVER.PING."+name] = true, true
					found["$SYS.REQ.ACCOUNT.*."+name], found["$SYS.REQ.ACCOUNT.PING."+name] = true, true
				}
			}
		}
	}
}

func TestEveryAPISubjectIsInTheTable(t *testing.T) {
	t.Parallel()
	var listed []string
	for subject := range known() {
		if !strings.HasPrefix(subject, "HUB.API") {
			listed = append(listed, subject)
		}
	}
	slices.Sort(listed)
	if diff := cmp.Diff(listed, subjectsOf(t)); diff != "" {
		t.Errorf("the server knows other subjects than the table (-table +server):\n%s", diff)
	}
}

// reach fills a pattern in: with each stream and each kind of consumer, or with
// the server and with each kind of account.
func reach(pattern string, servers, streams, consumers []string) []string {
	filled := []string{""}
	stars := 0
	for _, part := range strings.Split(pattern, ".") {
		values := []string{part}
		switch {
		case part == ">":
			values = []string{"evt.pair.XB.police.site.reported", "INFO", "file.region.XB.police.aa", "file.nowhere.XB.police.aa"}
		case part == "*" && strings.HasPrefix(pattern, "$SYS"):
			values = servers
		case part == "*" && stars == 0:
			values, stars = streams, 1
		case part == "*" && stars == 1:
			values, stars = consumers, 2
		case part == "*":
			values = []string{"1"}
		}
		var longer []string
		for _, head := range filled {
			for _, value := range values {
				longer = append(longer, strings.TrimPrefix(head+"."+value, "."))
			}
		}
		filled = longer
	}
	if pattern == "$JS.ACK.*.*" {
		for i := range filled {
			filled[i] += ".1.1.1.1.0"
		}
	}
	return filled
}

// bodyOf makes a call do what it can do.
func bodyOf(subject string) string {
	switch {
	case strings.Contains(subject, "MSG.NEXT"):
		return `{"batch":1,"no_wait":true}`
	case strings.Contains(subject, "UNPIN"):
		return `{"group":"any"}`
	case strings.Contains(subject, "CONSUMER.RESET"), strings.Contains(subject, "MSG.GET"), strings.Contains(subject, "DIRECT.GET"), strings.Contains(subject, "MSG.DELETE"):
		return `{"seq":1}`
	}
	return ""
}

// owns says whether a consumer on a stream was made for a user, or for one of its country.
func owns(who, streamName, consumer string) bool {
	if streamName == stream.Files {
		return false // nobody has a consumer on it
	}
	country := strings.TrimPrefix(who, "insider ")
	if consumer != who && (country == who || !regexp.MustCompile("-"+country+"(-|$)").MatchString(consumer)) {
		return false
	}
	switch {
	case strings.HasPrefix(consumer, "registrar"):
		return streamName == stream.Events
	case strings.HasPrefix(consumer, "publisher"):
		return streamName != stream.Keys
	}
	return true
}

// allowed says what is to be answered to whom.
func allowed(rule, who, subject string) bool {
	switch rule {
	case "self":
		return strings.HasPrefix(who, "insider")
	case "files":
		return strings.HasSuffix(subject, ".FILES.file.region.XB.police.aa") && (strings.HasPrefix(who, "insider") || strings.HasPrefix(who, "desk"))
	case "own":
		token := strings.Split(strings.TrimPrefix(strings.TrimSuffix(subject, ".1.1.1.1.0"), "$JS.ACK."), ".")
		return owns(who, token[len(token)-2], token[len(token)-1])
	}
	return false
}

func TestJetStreamAPITable(t *testing.T) {
	t.Parallel()
	w := found(t)
	w.says("XA", "police", "region", "pair")
	w.says("XB", "police", "region", "pair")
	before, configured := w.holds(), fmt.Sprint(w.configurations())
	others := w.placesOfOthers("XA")
	consumers := []string{"desk-XA", "publisher-XA-police", "publisher-XA-border", "registrar-XA", "desk-XB", "publisher-XB-police",
		"registrar-XB", stream.NotaryUser, stream.ScrubConsumer, stream.StandbyUser, stream.StandbyScrubConsumer, stream.AuditUser, w.hubsOwn()}
	streams := []string{stream.Events, stream.Log, stream.Keys, stream.Files}
	servers := []string{"PING", "HUB", "tripoint-hub"}
	for _, name := range []string{"XA", "XB", "HUB", "SYS"} {
		key, err := hub.AccountKey(w.Hub, name)
		if err != nil {
			t.Fatal(err)
		}
		servers = append(servers, key)
	}
	everyone := w.everyone("XA")
	servers = append(servers, everyone[0].nc.ConnectedServerId())
	rules := known()
	var patterns, table []string
	for pattern := range rules {
		patterns = append(patterns, pattern)
	}
	slices.Sort(patterns)
	cells := map[string][]string{}
	for _, a := range everyone {
		var requests []*nats.Msg
		for _, pattern := range patterns {
			for _, subject := range reach(pattern, servers, streams, consumers) {
				requests = append(requests, request(subject, bodyOf(subject)))
			}
		}
		outcomes := a.ask(t, requests...)
		at := 0
		for _, pattern := range patterns {
			counts := map[string]int{}
			for _, subject := range reach(pattern, servers, streams, consumers) {
				outcome := outcomes[at]
				counts[outcome]++
				got := outcome == answered
				if pattern == "$JS.ACK.*.*" { // an acknowledgement that changes nothing has no answer, and where it may not be it is refused
					got = got || outcome == silence
				}
				if want := allowed(rules[pattern], a.name, subject); got != want && !a.selfAnswer(rules, subject, outcome) {
					t.Errorf("%s on %s: %s, to be allowed: %t", a.name, subject, outcome, want)
				}
				at++
			}
			cells[pattern] = append(cells[pattern], cell(counts))
		}
		for _, m := range requests {
			a.aboutItself(t, m, servers[3:])
		}
	}
	for _, pattern := range patterns {
		table = append(table, fmt.Sprintf("%-44s %-5s %-30s %-30s %-30s %s", append([]any{pattern, rules[pattern]}, anys(cells[pattern])...)...))
	}
	t.Logf("%-44s %-5s %-30s %-30s %-30s %s\n%s", "subject", "rule", "its publisher", "its desk", "its registrar", "insider", strings.Join(table, "\n"))
	w.unchanged(t, before)
	if diff := cmp.Diff(configured, fmt.Sprint(w.configurations())); diff != "" {
		t.Errorf("the streams are configured otherwise (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(others, w.placesOfOthers("XA")); diff != "" {
		t.Errorf("others' consumers have moved (-before +after):\n%s", diff)
	}
}

// selfAnswer: a pattern filled in with PING is another row's subject.
func (a *attacker) selfAnswer(rules map[string]string, subject, outcome string) bool {
	return outcome == answered && rules[subject] == "self" && strings.HasPrefix(a.name, "insider")
}

// aboutItself fails where what the server says names another account than the asker's.
func (a *attacker) aboutItself(t *testing.T, m *nats.Msg, accounts []string) {
	t.Helper()
	if !strings.HasPrefix(m.Subject, "$SYS") {
		return
	}
	for _, answer := range a.answers(m) {
		for _, other := range accounts[1:4] { // of XA, XB, HUB, SYS
			if strings.Contains(string(answer.Data), other) || strings.Contains(string(answer.Data), "-XB") {
				t.Errorf("%s learns on %s of others: %.300s", a.name, m.Subject, answer.Data)
			}
		}
	}
}

func cell(counts map[string]int) string {
	var said []string
	for _, outcome := range []string{answered, denied, nobody, without, silence} {
		if n := counts[outcome]; n > 0 {
			said = append(said, fmt.Sprintf("%s %d", outcome, n))
		}
	}
	return strings.Join(said, ", ")
}

func anys(cells []string) (all []any) {
	for _, c := range cells {
		all = append(all, c)
	}
	return all
}

// placesOfOthers leaves the consumers of a country out.
func (w *world) placesOfOthers(country string) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	for _, name := range []string{stream.Events, stream.Log, stream.Keys} {
		for consumer, place := range w.places(name) {
			if !owns("insider "+country, stream.Events, consumer) {
				all[name+" "+consumer] = place
			}
		}
	}
	return all
}

// hubsOwn is the consumer with which the hub follows the registry.
func (w *world) hubsOwn() (name string) {
	w.t.Helper()
	_, js := hub.Administrator(w.Hub)
	s, err := js.Stream(w.t.Context(), stream.Events)
	if err != nil {
		w.t.Fatal(err)
	}
	until(w.t, "the hub follows the registry", func() bool {
		list := s.ConsumerNames(w.t.Context())
		for found := range list.Name() {
			if !strings.Contains(found, "-") && stream.InMemberAccount(found) && found != stream.AuditUser {
				name = found
			}
		}
		return name != ""
	})
	return name
}
