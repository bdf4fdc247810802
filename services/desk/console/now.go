package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

const (
	newestOnNow = 8
	itemsOnNow  = 6 // of each sort; what is left out is counted
)

// nowPage is what stands out at the moment.
type nowPage struct {
	Discrepancies items[standing]
	Disagreements items[disagreement]
	Measures      items[inForce]
	Arithmetic    items[listError]
	Overdue       items[*casework.Commitment]
	Breaches      items[casework.Breach]
	Newest        []liveEntry
	Refused       uint64
	Empty         bool   // nothing has been reported yet
	Sealed        string // the compartment that all of it but Newest and Refused lies in, and this person does not work in
}

// items are the first few of a sort, and how many there are in all.
type items[T any] struct {
	First []T
	All   int
}

func (i *items[T]) add(one T) {
	i.All++
	if len(i.First) < itemsOnNow {
		i.First = append(i.First, one)
	}
}

// Rest is how many are not shown.
func (i items[T]) Rest() int { return i.All - len(i.First) }

// standing is a discrepancy that is not explained by both sides, of a transfer.
type standing struct {
	Transfer string
	casework.Discrepancy
}

// disagreement is an attribute of which agencies do not say the same.
type disagreement struct {
	Ref casework.Ref
	casework.Attribute
}

// inForce is what a country has in force under a measure.
type inForce struct {
	Measure string
	casework.InForce
	Circumvented int // observations of circumvention
}

// listError is a list of people whose numbers do not fit each other.
type listError struct {
	Group, Title string
	Problems     []casework.Problem
}

func (c *Console) now(r *http.Request, current session) (response, error) {
	ctx, reader := r.Context(), c.reader(current)
	shown := &nowPage{}
	for _, gather := range []func(context.Context, view.Reader, *nowPage) error{
		c.gatherTransfers, c.gatherPlaces, c.gatherMechanism, c.gatherPeople, c.gatherBreaches,
	} {
		err := gather(ctx, reader, shown)
		if elsewhere := (sealedError{}); errors.As(err, &elsewhere) {
			shown.Sealed = elsewhere.compartment
			break
		}
		if err != nil {
			return response{}, err
		}
	}
	newest, err := reader.Entries(ctx, view.Filter{Newest: true, Limit: newestOnNow})
	if err != nil {
		return response{}, fmt.Errorf("reading the newest entries: %w", err)
	}
	shown.Newest = c.liveEntries(newest, current)
	if shown.Refused, err = c.refused(ctx); err != nil {
		return response{}, err
	}
	shown.Empty = len(shown.Newest) == 0
	return response{template: "now", data: shown}, nil
}

func (n *nowPage) disagree(entityType, id string, attributes casework.Attributes) {
	for _, attribute := range attributes.Disagreements() {
		n.Disagreements.add(disagreement{casework.Ref{Type: entityType, ID: id}, attribute})
	}
}

func (c *Console) gatherTransfers(ctx context.Context, reader view.Reader, n *nowPage) error {
	transfers, err := readAll[casework.Transfer](ctx, reader, casework.TypeTransfer)
	for _, t := range transfers {
		n.disagree(casework.TypeTransfer, t.ID, t.Attributes)
		for _, d := range t.Discrepancies {
			if d.State != casework.StateExplained {
				n.Discrepancies.add(standing{t.ID, d})
			}
		}
	}
	return err
}

func (c *Console) gatherPlaces(ctx context.Context, reader view.Reader, n *nowPage) error {
	sites, err := readAll[casework.Site](ctx, reader, casework.TypeSite)
	if err != nil {
		return err
	}
	for _, s := range sites {
		n.disagree(casework.TypeSite, s.ID, s.Attributes)
	}
	measures, err := readAll[casework.Measure](ctx, reader, casework.TypeMeasure)
	for _, m := range measures {
		for _, s := range m.Standing {
			if len(s.Kinds) > 0 {
				n.Measures.add(inForce{m.ID, s, len(m.Observations("circumvention"))})
			}
		}
	}
	return err
}

func (c *Console) gatherMechanism(ctx context.Context, reader view.Reader, n *nowPage) error {
	commitments, err := readAll[casework.Commitment](ctx, reader, casework.TypeCommitment)
	if err != nil {
		return err
	}
	for _, commitment := range commitments {
		n.disagree(casework.TypeCommitment, commitment.ID, commitment.Attributes)
		if commitment.Overdue(c.today()) {
			n.Overdue.add(commitment)
		}
	}
	meetings, err := readAll[casework.Meeting](ctx, reader, casework.TypeMeeting)
	for _, m := range meetings {
		n.disagree(casework.TypeMeeting, m.ID, m.Attributes)
	}
	return err
}

func (c *Console) gatherPeople(ctx context.Context, reader view.Reader, n *nowPage) error {
	groups, err := readAll[casework.Group](ctx, reader, casework.TypeGroup)
	if err != nil {
		return err
	}
	for _, g := range groups {
		n.disagree(casework.TypeGroup, g.ID, g.Attributes)
		if len(g.Problems) > 0 {
			n.Arithmetic.add(listError{g.ID, g.Attributes.Get("title").First(), g.Problems})
		}
	}
	repatriations, err := readAll[casework.Repatriation](ctx, reader, casework.TypeRepatriation)
	if err != nil {
		return err
	}
	for _, r := range repatriations {
		n.disagree(casework.TypeRepatriation, r.ID, r.Attributes)
	}
	people, err := readAll[casework.Person](ctx, reader, casework.TypePerson)
	for _, p := range people {
		n.disagree(casework.TypePerson, p.ID, p.Attributes)
	}
	return err
}

func (c *Console) gatherBreaches(ctx context.Context, reader view.Reader, n *nowPage) error {
	breaches, err := readAll[casework.Breaches](ctx, reader, casework.TypeBreach)
	for _, b := range breaches {
		for _, one := range b.Breaches {
			n.Breaches.add(one)
		}
	}
	return err
}

// today is the date that due dates are held against: that of the desk's clock, UTC.
func (c *Console) today() string { return c.config.Now().UTC().Format("2006-01-02") }
