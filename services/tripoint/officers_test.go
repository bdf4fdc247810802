package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/services/desk/console"
)

func TestForWhomLinksArePrinted(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []console.Officer
		bad  string
	}{
		{nil, []console.Officer{{Role: "officer", Compartments: []string{"case", "identity"}}, {Role: "protection", Compartments: []string{"case", "identity", "protection"}}}, ""},
		{[]string{"--role", "auditor"}, []console.Officer{{Role: "auditor", Compartments: []string{"case"}}}, ""},
		{[]string{"--role", "officer,intelligence", "--compartments", "intelligence"}, []console.Officer{{Role: "officer", Compartments: []string{"intelligence"}}, {Role: "intelligence", Compartments: []string{"intelligence"}}}, ""},
		{[]string{"--compartments", "case,secrets"}, nil, `no compartment "secrets"`},
		{[]string{"--role", "king"}, nil, `no role "king"`},
	} {
		var people officers
		command := &cobra.Command{}
		people.flags(command, "officer", "protection")
		if err := command.ParseFlags(test.args); err != nil {
			t.Fatal(err)
		}
		got, err := people.all()
		if test.bad != "" {
			if err == nil || !strings.Contains(err.Error(), test.bad) {
				t.Errorf("%v: error %v, want %s", test.args, err, test.bad)
			}
		} else if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("%v: %v\n%s", test.args, err, diff)
		}
	}
}
