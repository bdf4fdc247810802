package registry

import (
	"fmt"

	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// scope is what an update belongs to: its versions are counted there, and it
// says who has to agree.
type scope string

const charterScope scope = "the charter"

func countryScope(country string) scope { return scope("country " + country) }
func keyScope(owner *registryv1.KeyOwner) scope {
	return scope("key " + ownerWords(owner))
}
func audienceScope(id string) scope { return scope("audience " + id) }

// String is the scope in a reason: whoever hands in an update can name any.
func (s scope) String() string { return plain(fmt.Sprintf("%.64s", string(s))) }

// change is one kind of update.
type change interface {
	scope() scope
	// enact makes the change in a book. Its error leaves the book unusable.
	enact(b *book, index uint64) error
	// consents are those that must agree, given the book before and after.
	consents(before, after *book) []consent
	// words say what it changes in a book, for those who sign.
	words(before *book) []string
	// keys are the new keys whose holders sign too.
	keys() [][]byte
}

// changeOf is an update's change; nil where there is none.
func changeOf(update *registryv1.Update) change {
	switch c := update.GetChange().(type) {
	case *registryv1.Update_Founding:
		return founding{c.Founding}
	case *registryv1.Update_CharterAmended:
		return charterAmended{c.CharterAmended}
	case *registryv1.Update_RetentionAmended:
		return retentionAmended{c.RetentionAmended}
	case *registryv1.Update_MemberAdmitted:
		return memberAdmitted{c.MemberAdmitted}
	case *registryv1.Update_MemberSuspended:
		return memberSuspended{c.MemberSuspended}
	case *registryv1.Update_MemberReinstated:
		return memberReinstated{c.MemberReinstated}
	case *registryv1.Update_MemberLeft:
		return memberLeft{c.MemberLeft}
	case *registryv1.Update_RootRotated:
		return rootRotated{c.RootRotated}
	case *registryv1.Update_RootReplaced:
		return rootReplaced{c.RootReplaced}
	case *registryv1.Update_AgencyEnrolled:
		return agencyEnrolled{c.AgencyEnrolled}
	case *registryv1.Update_AgencyRetired:
		return agencyRetired{c.AgencyRetired}
	case *registryv1.Update_KeyEnrolled:
		return keyEnrolled{c.KeyEnrolled}
	case *registryv1.Update_KeyRotated:
		return keyRotated{c.KeyRotated}
	case *registryv1.Update_KeyRevoked:
		return keyRevoked{c.KeyRevoked}
	case *registryv1.Update_AudienceFormed:
		return audienceFormed{c.AudienceFormed}
	case *registryv1.Update_AudienceJoined:
		return audienceJoined{c.AudienceJoined}
	case *registryv1.Update_AudienceLeft:
		return audienceLeft{c.AudienceLeft}
	case *registryv1.Update_AudienceAmended:
		return audienceAmended{c.AudienceAmended}
	}
	return nil
}
