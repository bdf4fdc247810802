package publisher

import (
	"errors"
	"fmt"
	"regexp"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// strictJSON is protobuf's JSON, but a field that the request does not have is
// refused: a misspelt optional field would else vanish without a word. Its
// errors say where and what, and never repeat a value.
type strictJSON struct{ name string }

// Name is the codec's name in content types.
func (c strictJSON) Name() string { return c.name }

// Marshal encodes an answer.
func (c strictJSON) Marshal(message any) ([]byte, error) {
	m, ok := message.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("%T is not a protobuf message", message)
	}
	return protojson.Marshal(m)
}

// Unmarshal decodes a request.
func (c strictJSON) Unmarshal(data []byte, message any) error {
	m, ok := message.(proto.Message)
	if !ok {
		return fmt.Errorf("%T is not a protobuf message", message)
	}
	if len(data) == 0 {
		return errors.New("the body is empty: send a JSON object, {} at least")
	}
	if err := protojson.Unmarshal(data, m); err != nil {
		return discreet(err)
	}
	return nil
}

var (
	jsonPlace = regexp.MustCompile(`\(line (\d+):(\d+)\)`)
	// What comes after these words is a name out of the schema or one that looks
	// like one; what comes after that may be a value and is left out.
	jsonCause = regexp.MustCompile(`unknown field "[a-z][A-Za-z0-9_]{0,39}"|duplicate field "[a-z][A-Za-z0-9_]{0,39}"|` +
		`invalid value for \w+ (?:field|type) [a-zA-Z][a-zA-Z0-9_]{0,39}|unknown field|duplicate field|unexpected token|oneof [A-Za-z0-9_.]+ is already set|syntax error`)
)

// discreet keeps of a decoder's error the place and the cause.
func discreet(err error) error {
	cause := jsonCause.FindString(err.Error())
	if cause == "" {
		cause = "not the JSON of this request"
	}
	if place := jsonPlace.FindStringSubmatch(err.Error()); place != nil {
		return fmt.Errorf("line %s, column %s: %s", place[1], place[2], cause)
	}
	return errors.New(cause)
}
