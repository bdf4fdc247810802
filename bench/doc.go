// Package bench holds this project's log against programs that are not ours. It is
// a module of its own, so that what it needs is no dependency of any role.
package bench
