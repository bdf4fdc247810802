package keyfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tripoint/tripoint/pkg/checkup"
)

func TestExamineOpensWithoutShowing(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "a.key")
	made, err := Create(path, cheap("the made-up passphrase"))
	must(t, err)
	key, check := Examine("key", path, cheap("the made-up passphrase"))
	if key == nil || !check.OK || !strings.Contains(check.Detail, fmt.Sprintf("public key %.8x…", []byte(public(made)))) {
		t.Errorf("a good key: %+v", check)
	}
	for what, check := range map[string]checkup.Check{
		"wrong passphrase": latter(Examine("key", path, cheap("another"))),
		"unsealed":         latter(Examine("key", path, Unsealed)),
		"missing":          latter(Examine("key", path+".none", Unsealed)),
		"a secret":         ExamineSecret("key", path, Unsealed),
	} {
		if check.OK || check.Hint == "" || strings.Contains(check.Detail, "made-up") {
			t.Errorf("%s: %+v", what, check)
		}
	}
	if check := ExamineSecret("key", path, cheap("the made-up passphrase")); !check.OK {
		t.Errorf("a good secret: %+v", check)
	}
	if check := ExamineAll("keys", directory); !check.OK || !strings.Contains(check.Detail, "1 files") {
		t.Errorf("all: %+v", check)
	}
	must(t, os.Chmod(path, 0o640))
	for what, check := range map[string]checkup.Check{"plain": ExaminePlain("key", path), "all": ExamineAll("key", directory)} {
		if check.OK || check.Hint != "chmod 600 "+path {
			t.Errorf("%s: %+v", what, check)
		}
	}
	if check := ExaminePlain("key", directory); check.OK {
		t.Errorf("a directory: %+v", check)
	}
}

func latter[A, B any](_ A, b B) B { return b }
