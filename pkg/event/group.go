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
	if anywhere(m.ProtoReflect(), hasGroup) {
		return errors.New("a field of group type")
	}
	return nil
}

// HasUnknown reports whether a decoded message has fields anywhere in it that this
// version does not know. Readers pass over them; nobody should put his name to them.
func HasUnknown(m proto.Message) bool {
	return anywhere(m.ProtoReflect(), func(m protoreflect.Message) bool { return len(m.GetUnknown()) > 0 })
}

func hasGroup(m protoreflect.Message) bool {
	for unknown := m.GetUnknown(); len(unknown) > 0; {
		_, kind, n := protowire.ConsumeField(unknown)
		if n < 0 || kind == protowire.StartGroupType {
			return true
		}
		unknown = unknown[n:]
	}
	return false
}

// anywhere reports whether something holds for a message or one within it.
func anywhere(m protoreflect.Message, holds func(protoreflect.Message) bool) bool {
	found := holds(m)
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case found || field.Message() == nil:
		case field.IsList():
			for i := 0; i < value.List().Len() && !found; i++ {
				found = anywhere(value.List().Get(i).Message(), holds)
			}
		default:
			found = anywhere(value.Message(), holds)
		}
		return !found
	})
	return found
}
