// Command tripoint-verify checks one file of evidence, with no network and nothing
// else of this project. It is small so that an expert can read all of it, and build it
// alone: go build ./services/tripoint-verify
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/tripoint/tripoint/pkg/evidence"
)

const usage = `usage: tripoint-verify [--json] --charter FILE EVIDENCE
       tripoint-verify [--json] --charter-digest HEX EVIDENCE

Says what a file of evidence proves, to whoever knows the charter of the log: its
file, or the SHA-256 of the founding as members print it. That is the one thing that
is believed. Exit codes: 0 it holds, 1 it could not be read, 2 usage, 3 it does not hold.
`

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tripoint-verify:", err)
	}
	os.Exit(code)
}

func run(args []string, to io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("tripoint-verify", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), usage) }
	charter := flags.String("charter", "", "")
	digest := flags.String("charter-digest", "", "")
	asJSON := flags.Bool("json", false, "")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0, nil
	} else if err != nil {
		return 2, nil // it was said
	}
	if flags.NArg() != 1 || (*charter == "") == (*digest == "") {
		flags.Usage()
		return 2, nil
	}
	root, err := evidence.ParseDigest(*digest)
	if *charter != "" {
		var file []byte
		if file, err = os.ReadFile(*charter); err == nil {
			root, err = evidence.Charter(file)
		}
	}
	if err != nil {
		return 1, fmt.Errorf("charter: %w", err)
	}
	opened, err := os.Open(flags.Arg(0))
	if err != nil {
		return 1, err
	}
	file, err := io.ReadAll(io.LimitReader(opened, evidence.MaxFile+1))
	if err != nil {
		return 1, err
	}
	report, err := evidence.Verify(file, root)
	if err != nil {
		return 3, fmt.Errorf("%s does not hold: %w", flags.Arg(0), err)
	}
	if *asJSON {
		return 0, json.NewEncoder(to).Encode(report)
	}
	_, err = fmt.Fprint(to, report)
	return 0, err
}
