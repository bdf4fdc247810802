package console

import (
	"net/http"
	"slices"

	"github.com/tripoint/tripoint/pkg/casework"
)

// ledgerPage is what was promised, and the talks in which it was.
type ledgerPage struct {
	listPage[casework.Commitment]
	Meetings []*casework.Meeting
	Today    string
}

func (c *Console) commitments(r *http.Request, current session) (response, error) {
	commitments, err := list[casework.Commitment](c, r, current, casework.TypeCommitment)
	if err != nil {
		return response{}, err
	}
	meetings, err := readAll[casework.Meeting](r.Context(), c.reader(current), casework.TypeMeeting)
	meetings = meetings[:min(len(meetings), rowsOnPage)]
	return response{template: "commitments", data: ledgerPage{commitments, meetings, c.today()}}, err
}

// commitmentPage is one promise and what came of it.
type commitmentPage struct {
	*casework.Commitment
	Told  told
	Today string
}

func (c *Console) commitment(r *http.Request, current session) (response, error) {
	found, err := read[casework.Commitment](r.Context(), c.reader(current), casework.TypeCommitment, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	told, err := timeline(c, r, current, found.Claims, c.pages.texts.commitmentSaid)
	if err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("commitment.title", found.ID)
	shown := commitmentPage{found, told, c.today()}
	return response{template: "commitment", title: title, data: shown}, err
}

// meetingPage is one round of talks with its commitments.
type meetingPage struct {
	*casework.Meeting
	Rows  []*casework.Commitment // made in it
	Told  told
	Today string
}

func (c *Console) meeting(r *http.Request, current session) (response, error) {
	found, err := read[casework.Meeting](r.Context(), c.reader(current), casework.TypeMeeting, r.PathValue("id"))
	if err != nil {
		return response{}, err
	}
	all, err := readAll[casework.Commitment](r.Context(), c.reader(current), casework.TypeCommitment)
	if err != nil {
		return response{}, err
	}
	// The newest promises of talks that never end: the ledger has them all.
	made := slices.DeleteFunc(all, func(one *casework.Commitment) bool { return !slices.Contains(found.Commitments, one.ID) })
	made = made[max(0, len(made)-rowsOnPage):]
	told, err := timeline(c, r, current, found.Claims, meetingSaid)
	if err != nil {
		return response{}, err
	}
	title, err := c.pages.texts.text("meeting.title", found.ID)
	return response{template: "meeting", title: title, data: meetingPage{found, made, told, c.today()}}, err
}
