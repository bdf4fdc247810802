package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tripoint/tripoint/services/desk/console"
)

// officers are flags that say for whom sign-in links are printed.
type officers struct{ roles, compartments []string }

func (o *officers) flags(command *cobra.Command, roles ...string) {
	flags := command.Flags()
	flags.StringSliceVar(&o.roles, "role", roles, "print a sign-in link for each of these roles: officer, supervisor, protection, intelligence, auditor")
	flags.StringSliceVar(&o.compartments, "compartments", nil, "that they work in: case, identity, protection, intelligence (default: those of the role)")
}

func (o *officers) all() ([]console.Officer, error) {
	var all []console.Officer
	for _, role := range o.roles {
		officer, err := console.OfficerOf(role, o.compartments...)
		if err != nil {
			return nil, exit{exitUsage, fmt.Errorf("--role, --compartments: %w", err)}
		}
		all = append(all, officer)
	}
	return all, nil
}
