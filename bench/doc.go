// Package bench holds this project's log against programs that are not ours, and
// against the figures that it promises. It is a module of its own, so that what it
// needs is no dependency of any role. README.md says what is measured, and how.
package bench
