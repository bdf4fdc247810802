package evidence

import (
	"encoding/hex"
	"errors"

	"github.com/tripoint/tripoint/pkg/event"
	"github.com/tripoint/tripoint/pkg/registry"
)

// Charter is the digest of a charter's file, which every member holds.
func Charter(file []byte) (event.Digest, error) {
	charter, err := registry.OpenCharter(file)
	return charter.Digest, err
}

// ParseDigest reads a charter's digest as it is printed: 64 hexadecimal digits.
func ParseDigest(text string) (event.Digest, error) {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != len(event.Digest{}) {
		return event.Digest{}, errors.New("want the charter's digest, 64 hexadecimal digits")
	}
	return event.Digest(data), nil
}
