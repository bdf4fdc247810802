// Package salvage finds out what a log was, from what its parties hold of it. It
// believes nobody: leaves count where the notary has signed them, the registry that
// says whose signature that is counts where its updates are those leaves, and a
// message counts where it is the leaf at its index, whoever brought it.
//
// Holdings are as large as the log: they are read several times from beginning to
// end, and what is kept is 36 bytes a leaf, and the messages that are on no leaf.
package salvage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tripoint/tripoint/pkg/holding"
	"github.com/tripoint/tripoint/pkg/registry"
	"github.com/tripoint/tripoint/pkg/translog"
)

// Records are one holding, read once from its beginning.
type Records interface {
	Next() (holding.Record, error) // io.EOF after the last
	Close() error
}

// Source is a holding that can be read again and again, and is the same each time.
type Source struct {
	Name string // of the party, or of the file
	Open func(context.Context) (Records, error)

	// Damaged is what is left of the hub's own streams: it counts as far as it is
	// sound. All others are refused whole where they do not hold.
	Damaged bool
}

// File is a holding in a file.
func File(path string, charter registry.Charter) Source {
	return Source{Name: path, Open: func(context.Context) (Records, error) {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		r, err := holding.NewReader(file, charter.Digest)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		return fileRecords{r, file}, nil
	}}
}

type fileRecords struct {
	*holding.Reader
	file *os.File
}

func (f fileRecords) Close() error { return f.file.Close() }

// each shows all records of a source.
func (s Source) each(ctx context.Context, show func(holding.Record) error) error {
	records, err := s.Open(ctx)
	if err != nil {
		return &Unsound{s.Name, err}
	}
	defer records.Close()
	for n := 0; ; n++ {
		record, err := records.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && n%1024 == 0 {
			err = ctx.Err()
		}
		if err == nil {
			err = show(record)
		}
		switch fork := (*Fork)(nil); {
		case errors.As(err, &fork), ctx.Err() != nil:
			return fmt.Errorf("%s: %w", s.Name, err)
		case err != nil:
			return &Unsound{s.Name, err}
		}
	}
}

// Unsound says that a holding is not what a party exports: it is damaged, or of
// another log. Without it the others may suffice.
type Unsound struct {
	Source string // its name
	Cause  error
}

func (e *Unsound) Error() string { return e.Source + ": " + e.Cause.Error() }
func (e *Unsound) Unwrap() error { return e.Cause }

// Proof is a checkpoint that the notary signed, and who brought it.
type Proof struct {
	By         string
	Checkpoint translog.Checkpoint
	Note       []byte
}

// Fork says that two holdings prove two different logs: the notary has signed both.
// Nothing can be restored before people have looked at it.
type Fork struct{ Have, Got Proof }

func (e *Fork) Error() string {
	return fmt.Sprintf("two logs, both signed by the notary: %s has one of %d leaves with root %s, %s one of %d with root %s, and neither goes on where the other ends",
		e.Have.By, e.Have.Checkpoint.Size, e.Have.Checkpoint.Root, e.Got.By, e.Got.Checkpoint.Size, e.Got.Checkpoint.Root)
}

// Short says that the log went on beyond all holdings: what was restored from them
// would be another log for whoever has seen it.
type Short struct {
	Seen Proof
	Size uint64 // of the longest tree that was given
}

func (e *Short) Error() string {
	return fmt.Sprintf("%s has seen the notary's checkpoint of %d leaves, and what was given reaches only %d; leaves are missing from %d on: add the notary's holding, or that of a desk which is further",
		e.Seen.By, e.Seen.Checkpoint.Size, e.Size, e.Size)
}

// Range is log indices from one to another, itself excluded, that are for one label.
type Range struct {
	From, To uint64
	Label    string // holding.Unknown where nobody has said it
}

// LeftOut counts messages that were on no leaf and are not taken along.
type LeftOut struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
}
