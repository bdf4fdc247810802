package daemon

import (
	"errors"
	"testing"
)

func TestDirectoryHasOneOwner(t *testing.T) {
	directory := t.TempDir()
	lock, err := Lock(directory)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(directory); !errors.Is(err, ErrInUse) {
		t.Errorf("a second Lock = %v, want ErrInUse", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Lock(directory)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}
