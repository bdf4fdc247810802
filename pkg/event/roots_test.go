package event

import "testing"

// Memory is bounded whatever comes, and what came last is remembered.
func TestRootsAreBounded(t *testing.T) {
	roots := &Roots{}
	at := func(i int) verifiedRoot { return verifiedRoot{size: uint64(i)} }
	for i := range 3*rememberedRoots + 7 {
		roots.add(at(i))
		if len(roots.known) > rememberedRoots || len(roots.order) > rememberedRoots {
			t.Fatalf("after %d roots %d are kept in a list of %d", i+1, len(roots.known), len(roots.order))
		}
		if !roots.has(at(i)) || i >= rememberedRoots && roots.has(at(i-rememberedRoots)) {
			t.Fatalf("after %d roots: the newest is known %t, the oldest was kept", i+1, roots.has(at(i)))
		}
	}
}
