package desk

import (
	"crypto/hpke"
	"testing"

	"github.com/tripoint/tripoint/pkg/event"
	. "github.com/tripoint/tripoint/pkg/registry/registrytest"
)

func openingRow(key hpke.PrivateKey) string {
	return "opening key " + event.DigestOf(key.PublicKey().Bytes()).String()[:16]
}

// The doctor says of each opening key what the registry has it for, and which
// compartments stay closed here; that is no fault.
func TestExamineOpeningKeys(t *testing.T) {
	t.Parallel()
	w, d, _ := mirrored(t)
	w.amend(RotateOpening("XC", 2, "next opening XC/2"), "root XC")
	w.amend(RevokeKey(DeskOwner("XC", 3), 0), "root XC")
	d.hasCosigned(w.notarise().Size)
	must(t, d.stop())
	config := d.config
	config.OpeningKeys = append(OpeningsOf("XC", 1, 2, 3), Opening("next opening XC/1"), OpeningOf("XA", 1), Opening("next next opening XC/2"))
	checks := Examine(t.Context(), config)
	examined(t, checks, openingRow(config.OpeningKeys[0]), true, "case (epoch 1), valid from index 1")
	examined(t, checks, openingRow(config.OpeningKeys[1]), true, "identity (epoch 1), ended at index", "destroy it")
	examined(t, checks, openingRow(config.OpeningKeys[2]), true, "protection (epoch 1), ended at index")
	examined(t, checks, openingRow(config.OpeningKeys[3]), true, "the successor of case (epoch 1)")
	examined(t, checks, openingRow(config.OpeningKeys[4]), false, "for no compartment of XC", "enrol-key XC:COMPARTMENT")
	examined(t, checks, openingRow(config.OpeningKeys[5]), true, "the successor of identity (epoch 2)")
	examined(t, checks, "compartments", true, "what is sealed for case (epoch 1) opens here; closed stays identity (epoch 2), intelligence (epoch 1)")
	examined(t, Examine(t.Context(), d.config), "compartments", true, "for nothing opens here; closed stays case (epoch 1), identity (epoch 2), intelligence (epoch 1)")
}
