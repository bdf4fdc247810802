package event

import (
	"errors"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// CheckGroups refuses a decoded message with an unknown field of protobuf's old
// group type anywhere in it. Libraries differ in how deep groups may be nested (10,000
// here, 100 in most others), so one reader would decode what another could not. No
// message of the format has groups, and none ever will.
func CheckGroups(m proto.Message) error {
	if hasGroup(m.ProtoReflect()) {
		return errors.New("a field of group type")
	}
	return nil
}

func hasGroup(m protoreflect.Message) bool {
	for unknown := m.GetUnknown(); len(unknown) > 0; {
		_, kind, n := protowire.ConsumeField(unknown)
		if n < 0 || kind == protowire.StartGroupType {
			return true
		}
		unknown = unknown[n:]
	}
	found := false
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Message() == nil:
		case field.IsList():
			for i := 0; i < value.List().Len() && !found; i++ {
				found = hasGroup(value.List().Get(i).Message())
			}
		default:
			found = hasGroup(value.Message())
		}
		return !found
	})
	return found
}
