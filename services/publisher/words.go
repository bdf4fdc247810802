package publisher

import (
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
)

// wants says in words what each pattern of the wire format asks for: whoever has
// written yesterday where a date belongs is not helped by a regular expression.
var wants = map[string]string{
	`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`:    "want an identifier: up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first",
	`^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$`: "want an identifier, or nothing: up to 64 letters, digits, dots, underscores and hyphens, a letter or digit first",
	`^[a-z0-9][a-z0-9-]{0,31}$`:            "want an identifier of the charter: up to 32 small letters, digits and hyphens",
	`^[a-z0-9][a-z0-9-]{0,63}$`:            "want a purpose of the audience: up to 64 small letters, digits and hyphens",
	`^[A-Z]{2}$`:                           "want a country by its ISO 3166-1 code: two capital letters",
	`^([A-Z]{2}|stateless|unknown)$`:       "want a nationality by its ISO 3166-1 code, two capital letters, or stateless, or unknown",
	`^([A-Z]{2}|several)$`:                 "want a country by its ISO 3166-1 code, two capital letters, or several",
	`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`:                                                                "want the id of an event, as the publisher answered it: a UUID of version 7 in lower case",
	`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`:                                                                                  "want a date, such as 2025-02-12",
	`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`:    "want a date and time with its offset, such as 2025-02-12T15:45:00+07:00",
	`^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$`:                                                                               "want a date, such as 2025-02-12, or nothing",
	`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9]))?$`: "want a date, such as 2025-02-12, or a date and time with its offset, such as 2025-02-12T15:45:00+07:00",
	`^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}/\\]+$`:                                                                                                    "want a file's name: one line, without a path",
	`^([A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*)?$`:                                                               "want a media type, such as image/jpeg, or nothing",
}

// teach puts words in place of patterns.
func teach(violations []*validate.Violation) {
	for _, v := range violations {
		if v.GetRuleId() != "string.pattern" {
			continue
		}
		for pattern, words := range wants {
			if strings.Contains(v.GetMessage(), "`"+pattern+"`") {
				v.Message = proto.String(words)
			}
		}
	}
}
