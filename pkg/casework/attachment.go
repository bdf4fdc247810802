package casework

import (
	"slices"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// Attachments are the files that an open section names, as it names them; none where it
// is closed, or no message of its compartment. No document has them: a file's key stands in its section alone.
func Attachments(section Opened) []*caseworkv1.Attachment {
	var said Said
	if section.Closed != "" || !said.open(section) {
		return nil
	}
	return slices.Concat(said.Case.GetAttachments(), said.Identity.GetAttachments(), said.Protection.GetAttachments(), said.Intelligence.GetAttachments())
}
