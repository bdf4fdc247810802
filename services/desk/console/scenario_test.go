package console

import (
	"google.golang.org/protobuf/proto"

	caseworkv1 "github.com/tripoint/tripoint/proto/tripoint/casework/v1"
)

// counts of one nationality: total, or total, male, female.
type of struct {
	nationality string
	counts      []uint32
}

func rows(all ...of) []*caseworkv1.NationalityCount {
	var list []*caseworkv1.NationalityCount
	for _, one := range all {
		row := &caseworkv1.NationalityCount{Nationality: one.nationality, Total: one.counts[0]}
		if len(one.counts) == 3 {
			row.Male, row.Female = proto.Uint32(one.counts[1]), proto.Uint32(one.counts[2])
		}
		list = append(list, row)
	}
	return list
}

func totals(total uint32, codes string, counts ...uint32) *caseworkv1.Count {
	count := &caseworkv1.Count{Total: total}
	for i, n := range counts {
		count.ByNationality = append(count.ByNationality, rows(of{codes[3*i : 3*i+2], []uint32{n}})...)
	}
	return count
}

// february plays published counts of February 2025 into a view, errors
// included. The people in it are invented, and say so.
func february(v *memoryView) *memoryView {
	playPlaces(v)
	playHandover(v)
	playPeople(v)
	v.refuse("bad-signature", "the signature does not verify")
	return v
}

func playPlaces(v *memoryView) {
	for _, site := range []struct {
		id, name string
		lat      float64
	}{{"S-KK-PARK", "KK Park", 16.6}, {"S-SHWE-KOKKO", "Shwe Kokko", 16.8}} {
		v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-01", Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{
			SiteId: site.id, Name: site.name, Near: "Myawaddy", Position: &caseworkv1.Position{Latitude: site.lat, Longitude: 98.5}, ControlledBy: "Karen Border Guard Force area"}}})
	}
	v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-02-02", Content: &caseworkv1.CaseSection_SiteReported{SiteReported: &caseworkv1.SiteReported{
		SiteId: "S-SHWE-KOKKO", Name: "Shwe Kokko", Near: "Myawaddy", ControlledBy: "not under government control"}}})
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-05T09:00:00+07:00", Content: &caseworkv1.CaseSection_MeasureInForce{MeasureInForce: &caseworkv1.MeasureInForce{
		MeasureId: "M-2025-02-05", Kinds: []caseworkv1.MeasureKind{1, 2, 3}, Points: []*caseworkv1.CutPoint{
			{From: "Thai-Myanmar Friendship Bridge 2, Mae Sot", To: "Myawaddy"}, {From: "Ban Huay Muang", To: "Myawaddy"}, {From: "Three Pagodas Pass", To: "Payathonzu"},
			{From: "Ban Mueang Daeng, Mae Sai", To: "Tachileik"}, {From: "Thai-Myanmar Friendship Bridge 1, Mae Sai", To: "Tachileik"}}}}})
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-20", Source: "press", Content: &caseworkv1.CaseSection_MeasureObserved{MeasureObserved: &caseworkv1.MeasureObserved{
		MeasureId: "M-2025-02-05", Observation: caseworkv1.Observation_OBSERVATION_CIRCUMVENTION, At: "Shwe Kokko", What: "lights on again: generators and solar panels"}}})
	v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-02-16", Content: &caseworkv1.CaseSection_MeetingHeld{MeetingHeld: &caseworkv1.MeetingHeld{
		MeetingId: "TALKS-2025-02-16", Place: "Myanmar", Parties: []string{"CN", "MM"}}}})
	for i, text := range []string{"a regular mechanism against cross-border crime", "rescue and support of trapped nationals"} {
		v.say("CN.police", &caseworkv1.CaseSection{Occurred: "2025-02-16", Content: &caseworkv1.CaseSection_CommitmentMade{CommitmentMade: &caseworkv1.CommitmentMade{
			CommitmentId: "C-" + string(rune('1'+i)), MeetingId: "TALKS-2025-02-16", Text: text, Owners: []string{"CN", "MM"}, Due: []string{"", "2025-02-28"}[i]}}})
	}
	v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-02-21", Content: &caseworkv1.CaseSection_CommitmentProgress{CommitmentProgress: &caseworkv1.CommitmentProgress{
		CommitmentId: "C-1", State: caseworkv1.CommitmentState_COMMITMENT_STATE_IN_PROGRESS}}})
}

func playHandover(v *memoryView) {
	const id, crossing = "T-2025-02-12", "Trade crossing point 28, Chong Khaep"
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-11", Source: "minister, 11-12 February", Content: &caseworkv1.CaseSection_TransferAnnounced{TransferAnnounced: &caseworkv1.TransferAnnounced{
		TransferId: id, From: "MM", To: "TH", Crossing: crossing, Count: totals(53, "ET,PH,NP,PK,KE,BR,BD,TZ", 21, 12, 6, 5, 4, 2, 2, 1)}}})
	v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-02-12", Source: "defence ministry spokesman: 53 and then 208 more", Content: &caseworkv1.CaseSection_TransferDeparted{TransferDeparted: &caseworkv1.TransferDeparted{
		TransferId: id, Count: &caseworkv1.Count{Total: 261}}}})
	received := totals(260, "ET,KE,PH,MY,PK,CN,ID,NP,TW,UG,LA,BI,BD,BR,NG,GH,IN,KH,LK,TZ", 138, 23, 16, 15, 12, 10, 8, 7, 7, 6, 6, 2, 2, 2, 1, 1, 1, 1, 1, 1)
	received.Male, received.Female, received.Nationalities = proto.Uint32(221), proto.Uint32(39), []uint32{20}
	v.say("TH.protection", &caseworkv1.CaseSection{Occurred: "2025-02-12T15:45:00+07:00", Content: &caseworkv1.CaseSection_TransferReceived{TransferReceived: &caseworkv1.TransferReceived{
		TransferId: id, Crossing: crossing, Count: received}}})
	v.say("TH.protection", &caseworkv1.CaseSection{Occurred: "2025-02-12", Content: &caseworkv1.CaseSection_TransferScreening{TransferScreening: &caseworkv1.TransferScreening{
		TransferId: id, WithinDays: 15, Under: "national referral mechanism"}}})
	v.say("MM.police", &caseworkv1.CaseSection{Occurred: "2025-02-12", Content: &caseworkv1.CaseSection_TransferReleased{TransferReleased: &caseworkv1.TransferReleased{
		TransferId: id, ReleasedBy: "Myanmar authorities"}}})
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-12", Source: "press", Content: &caseworkv1.CaseSection_TransferReleased{TransferReleased: &caseworkv1.TransferReleased{
		TransferId: id, ReleasedBy: "DKBA"}}})
	v.say("TH.protection", &caseworkv1.CaseSection{Occurred: "2025-02-14", Content: &caseworkv1.CaseSection_TransferExplained{TransferExplained: &caseworkv1.TransferExplained{
		TransferId: id, Discrepancy: "departed-received", Reason: "One person was taken to hospital before the count (invented for this test)."}}})
	v.say("CN.police", &caseworkv1.CaseSection{Occurred: "2025-02-22", Note: "labels differ between sources", Content: &caseworkv1.CaseSection_RepatriationArrived{RepatriationArrived: &caseworkv1.RepatriationArrived{
		RepatriationId: "R-2025-02-20", Count: &caseworkv1.Count{Total: 200}, Labelled: "suspects of telecom fraud"}}})
}

func playPeople(v *memoryView) {
	list := &caseworkv1.Count{Total: 7141, Male: proto.Uint32(6716), Female: proto.Uint32(425), Nationalities: []uint32{27, 28}, ByNationality: rows(
		of{"CN", []uint32{4860, 4764, 96}}, of{"VN", []uint32{572, 511, 61}}, of{"IN", []uint32{526, 498, 28}}, of{"ET", []uint32{430, 396, 34}}, of{"ID", []uint32{283, 217, 66}},
		of{"PH", []uint32{127, 54, 73}}, of{"PK", []uint32{78, 64, 4}}, of{"MY", []uint32{70, 65, 5}}, of{"KE", []uint32{64, 38, 26}}, of{"ZA", []uint32{26, 19, 7}},
		of{"TW", []uint32{25, 24, 1}}, of{"NP", []uint32{17, 15, 2}}, of{"UG", []uint32{13, 5, 8}}, of{"stateless", []uint32{9}}, of{"LK", []uint32{8, 8, 0}},
		of{"UZ", []uint32{8, 7, 1}}, of{"NG", []uint32{7, 2, 5}}, of{"GH", []uint32{6, 5, 1}}, of{"BD", []uint32{6, 6, 0}}, of{"CM", []uint32{6, 3, 3}},
		of{"NA", []uint32{4, 2, 2}}, of{"RW", []uint32{4, 4, 0}}, of{"TN", []uint32{3, 3, 0}}, of{"CZ", []uint32{2, 1, 1}}, of{"LA", []uint32{1, 0, 1}},
		of{"RO", []uint32{1, 1, 0}}, of{"DZ", []uint32{1, 1, 0}}, of{"SG", []uint32{1, 1, 0}})}
	v.say("TH.police", &caseworkv1.CaseSection{Occurred: "2025-02-28", Content: &caseworkv1.CaseSection_GroupListed{GroupListed: &caseworkv1.GroupListed{
		GroupId: "G-7141", Title: "People held at the border, end of February", SentBy: "Karen Border Guard Force", Count: list}}})
	v.say("TH.protection", &caseworkv1.CaseSection{Occurred: "2025-02-12", Note: "Invented person, for this test.", Content: &caseworkv1.CaseSection_PersonReported{PersonReported: &caseworkv1.PersonReported{
		PersonId: "P-0001", Nationality: "CN", Sex: caseworkv1.Sex_SEX_MALE, AgeBand: caseworkv1.AgeBand_AGE_BAND_DISPUTED, TransferId: "T-2025-02-12"}}},
		&caseworkv1.Identity{PersonId: "P-0001", Name: "张伟民 (invented)", Transliteration: "Zhang Weimin (invented)"})
	v.say("TH.protection", &caseworkv1.CaseSection{Occurred: "2025-02-20", Content: &caseworkv1.CaseSection_PersonScreened{PersonScreened: &caseworkv1.PersonScreened{
		PersonId: "P-0001", Outcome: caseworkv1.Outcome_OUTCOME_VICTIM}}})
	v.say("CN.police", &caseworkv1.CaseSection{Occurred: "2025-02-22", Marking: marking("immigration"), Content: &caseworkv1.CaseSection_PersonScreened{PersonScreened: &caseworkv1.PersonScreened{
		PersonId: "P-0001", Outcome: caseworkv1.Outcome_OUTCOME_NOT_VICTIM}}})
}
