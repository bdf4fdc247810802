package console

import (
	"context"
	"fmt"

	"github.com/tripoint/tripoint/pkg/casework"
	"github.com/tripoint/tripoint/pkg/view"
)

// sealedError says that something lies in a compartment that the person does not work
// in. It says so whether or not there is anything.
type sealedError struct{ compartment string }

func (e sealedError) Error() string { return fmt.Sprintf("sealed for %s", e.compartment) }

// reader is the read model as one person may see it. Pages and streams read through it alone.
func (c *Console) reader(current session) view.Reader {
	return officerReader{Reader: c.config.Reader, session: current}
}

type officerReader struct {
	view.Reader
	session session
}

// Entries are masked: see session.masked.
func (r officerReader) Entries(ctx context.Context, f view.Filter) ([]view.Entry, error) {
	if f.Ref != (casework.Ref{}) && !r.session.works(compartmentOf(f.Ref.Type)) {
		return nil, sealedError{compartmentOf(f.Ref.Type)}
	}
	if f.Family != "" && !r.session.works(inCase) {
		return nil, sealedError{inCase} // of which kind an event is, its case section says
	}
	found, err := r.Reader.Entries(ctx, f)
	for i, e := range found {
		found[i] = r.session.masked(e)
	}
	return found, err
}

// Document fails with a sealedError where the person does not work in its compartment.
func (r officerReader) Document(ctx context.Context, ref casework.Ref) (view.Document, bool, error) {
	if compartment := compartmentOf(ref.Type); !r.session.works(compartment) {
		return view.Document{}, false, sealedError{compartment}
	}
	return r.Reader.Document(ctx, ref)
}

// Documents fails likewise.
func (r officerReader) Documents(ctx context.Context, entityType string) ([]view.Document, error) {
	if compartment := compartmentOf(entityType); !r.session.works(compartment) {
		return nil, sealedError{compartment}
	}
	return r.Reader.Documents(ctx, entityType)
}
