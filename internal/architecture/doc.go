// Package architecture holds the tests that keep the shape of this module: who
// may import whom, which packages are pure, how long a file may grow, how many
// dependencies there are. Each rule stands in a table with the reason for it,
// and both are printed when it is broken. It has no code outside its tests.
package architecture
