package casework

import (
	"errors"
	"slices"
	"strings"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// contents is the oneof whose field names are the kinds.
var contents = (&caseworkv1.CaseSection{}).ProtoReflect().Descriptor().Oneofs().ByName("content")

// KindSealed stands in the header of an event whose case section is sealed: what kind it
// is of, its content says to those who may open it. No content has it.
const KindSealed = "event.sealed"

// ErrNoContent means that a case section says nothing that this version knows.
var ErrNoContent = errors.New("the case section has no content of a known kind")

// KindOf returns the kind of a case section: the name of its content's field,
// with the family set apart (transfer_received is transfer.received,
// measure_in_force is measure.in_force). It returns ErrNoContent where no
// content is set.
func KindOf(section *caseworkv1.CaseSection) (string, error) {
	field := section.ProtoReflect().WhichOneof(contents)
	if field == nil {
		return "", ErrNoContent
	}
	return kindOfField(field), nil
}

// Kinds returns all kinds, sorted.
func Kinds() []string {
	fields := contents.Fields()
	kinds := make([]string, fields.Len())
	for i := range kinds {
		kinds[i] = kindOfField(fields.Get(i))
	}
	slices.Sort(kinds)
	return kinds
}

func kindOfField(field protoreflect.FieldDescriptor) string {
	return strings.Replace(string(field.Name()), "_", ".", 1)
}
