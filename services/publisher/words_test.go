package publisher

import (
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	publisherv1 "github.com/tripoint/tripoint/proto/tripoint/publisher/v1"
)

func TestEveryPatternHasItsWords(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	patterns((&publisherv1.PublishRequest{}).ProtoReflect().Descriptor(), map[protoreflect.FullName]bool{}, func(field protoreflect.FieldDescriptor, pattern string) {
		used[pattern] = true
		if wants[pattern] == "" {
			t.Errorf("%s wants %s, and no words say what that is", field.FullName(), pattern)
		}
	})
	for pattern := range wants {
		if !used[pattern] {
			t.Errorf("no field has the pattern %s any more", pattern)
		}
	}
}

// patterns visits every pattern of a message and of those inside it.
func patterns(m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool, visit func(protoreflect.FieldDescriptor, string)) {
	if seen[m.FullName()] {
		return
	}
	seen[m.FullName()] = true
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
		for _, pattern := range []string{rules.GetString().GetPattern(), rules.GetRepeated().GetItems().GetString().GetPattern()} {
			if pattern != "" {
				visit(field, pattern)
			}
		}
		if field.Message() != nil {
			patterns(field.Message(), seen, visit)
		}
	}
}
