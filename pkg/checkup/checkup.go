// Package checkup is what an examination of an installation says, one row for
// each thing that was looked at. Each role examines what it owns; the command puts the
// rows together.
package checkup

import "fmt"

// Check is one row. Its JSON form is a contract: fields are added, never changed.
type Check struct {
	Name   string `json:"check"`  // what was looked at
	OK     bool   `json:"ok"`     // nothing has to be done
	Detail string `json:"detail"` // what was found; no secret, nothing about a person
	Hint   string `json:"hint"`   // what to do; empty where nothing has to be done
}

// Good is a check that found nothing wrong.
func Good(name, format string, args ...any) Check {
	return Check{Name: name, OK: true, Detail: fmt.Sprintf(format, args...)}
}

// Bad is a check that found something wrong, with what to do about it.
func Bad(name, hint, format string, args ...any) Check {
	return Check{Name: name, Detail: fmt.Sprintf(format, args...), Hint: hint}
}

// Under puts the name of a party before those of its checks.
func Under(party string, checks []Check) []Check {
	named := make([]Check, len(checks))
	for i, c := range checks {
		c.Name = party + ": " + c.Name
		named[i] = c
	}
	return named
}

// Wrong counts the checks that found something wrong.
func Wrong(checks []Check) int {
	wrong := 0
	for _, c := range checks {
		if !c.OK {
			wrong++
		}
	}
	return wrong
}
