package registrytest

import (
	"github.com/tripoint/tripoint/pkg/registry"
	registryv1 "github.com/tripoint/tripoint/proto/tripoint/registry/v1"
)

// next is the commitment to "next OWNER" as OWNER's successor.
func next(owner string) []byte {
	digest := registry.CommitmentOf(Public("next " + owner))
	return digest[:]
}

// Admit takes a country in, with the keys "root CC" and "mirror CC". Signers: a
// threshold of roots, "root CC" and "mirror CC".
func Admit(country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_MemberAdmitted{MemberAdmitted: &registryv1.MemberAdmitted{Member: &registryv1.Member{
		Country: country, RootKey: Public("root " + country), RootNext: next("root " + country),
		MirrorKey: Public("mirror " + country), MirrorNext: next("mirror " + country),
	}}}}
}

// Suspend suspends a member.
func Suspend(country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_MemberSuspended{
		MemberSuspended: &registryv1.MemberSuspended{Country: country, Reason: "a reason made up for a test"}}}
}

// Reinstate ends a suspension.
func Reinstate(country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_MemberReinstated{MemberReinstated: &registryv1.MemberReinstated{Country: country}}}
}

// Leave is a country's own leave.
func Leave(country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_MemberLeft{MemberLeft: &registryv1.MemberLeft{Country: country}}}
}

// Enrol enrols an agency with the key "publisher CC/agency". Signers: "root CC"
// and that key.
func Enrol(country, agency string) *registryv1.Update {
	owner := "publisher " + country + "/" + agency
	return &registryv1.Update{Change: &registryv1.Update_AgencyEnrolled{AgencyEnrolled: &registryv1.AgencyEnrolled{Agency: &registryv1.Agency{
		Country: country, Agency: agency, Name: agency + " of " + country, PublisherKey: Public(owner), PublisherNext: next(owner),
	}}}}
}

// Retire retires an agency.
func Retire(country, agency string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_AgencyRetired{AgencyRetired: &registryv1.AgencyRetired{Country: country, Agency: agency}}}
}

// AgencyOwner owns an agency's publisher key.
func AgencyOwner(country, agency string) *registryv1.KeyOwner {
	return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Agency{Agency: agency}}
}

// MirrorOwner owns a country's mirror key.
func MirrorOwner(country string) *registryv1.KeyOwner {
	return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Mirror{Mirror: &registryv1.Mirror{}}}
}

// DeskOwner owns a desk's opening key of a compartment.
func DeskOwner(country string, compartment uint32) *registryv1.KeyOwner {
	return &registryv1.KeyOwner{Country: country, Purpose: &registryv1.KeyOwner_Compartment{Compartment: compartment}}
}

// EnrolKey gives an owner the key of that name, with "next NAME" as successor.
// Signers: the root, and the key where it can sign.
func EnrolKey(owner *registryv1.KeyOwner, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_KeyEnrolled{KeyEnrolled: &registryv1.KeyEnrolled{
		Owner: owner, PublicKey: Public(name), Next: next(name)}}}
}

// RotateKey exchanges an owner's key for the one of that name. Signer: that key alone.
func RotateKey(owner *registryv1.KeyOwner, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_KeyRotated{KeyRotated: &registryv1.KeyRotated{
		Owner: owner, PublicKey: Public(name), Next: next(name)}}}
}

// RevokeKey ends an owner's key.
func RevokeKey(owner *registryv1.KeyOwner, doubtedFrom uint64) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_KeyRevoked{KeyRevoked: &registryv1.KeyRevoked{Owner: owner, DoubtedFrom: doubtedFrom}}}
}

// RotateRoot exchanges a country's root for the one of that name. Signer: "new NAME".
func RotateRoot(country, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_RootRotated{RootRotated: &registryv1.RootRotated{
		Country: country, RootKey: Public(name), RootNext: next(name)}}}
}

// ReplaceRoot gives a country another root. Signers: the others' roots, "new NAME".
func ReplaceRoot(country, name string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_RootReplaced{RootReplaced: &registryv1.RootReplaced{
		Country: country, RootKey: Public(name), RootNext: next(name)}}}
}

// Form forms an audience for rescue. Signers: all its members' roots.
func Form(audience string, members ...string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_AudienceFormed{AudienceFormed: &registryv1.AudienceFormed{
		Audience: &registryv1.Audience{Audience: audience, Members: members, Purposes: []string{"rescue"}}}}}
}

// Join takes a country into an audience. Signers: the roots of all in it, and its own.
func Join(audience, country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_AudienceJoined{AudienceJoined: &registryv1.AudienceJoined{Audience: audience, Country: country}}}
}

// Quit is a country's leave of an audience. Signer: its root.
func Quit(audience, country string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_AudienceLeft{AudienceLeft: &registryv1.AudienceLeft{Audience: audience, Country: country}}}
}

// AmendAudience exchanges an audience's purposes. Signers: the roots of all in it.
func AmendAudience(audience string, purposes ...string) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_AudienceAmended{AudienceAmended: &registryv1.AudienceAmended{Audience: audience, Purposes: purposes}}}
}

// AmendCharter sets threshold and quorum. Signers: both thresholds of roots.
func AmendCharter(threshold, quorum uint32) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_CharterAmended{CharterAmended: &registryv1.CharterAmended{Threshold: &threshold, Quorum: &quorum}}}
}

// AmendRetention sets the days of a retention class. Signers: a threshold of roots.
func AmendRetention(class string, days uint32) *registryv1.Update {
	return &registryv1.Update{Change: &registryv1.Update_RetentionAmended{RetentionAmended: &registryv1.RetentionAmended{
		RetentionClasses: []*registryv1.RetentionClass{{Retention: class, Days: days}}}}}
}
