package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/tripoint/tripoint/pkg/translog"
)

// maxAnswer is the longest answer that is read, in bytes.
const maxAnswer = 16 << 10

// submit has one checkpoint cosigned, and shows the cosignature. A witness that has
// another size than was thought says which, and is asked once more.
func (w *asked) submit(ctx context.Context, o offer) error {
	if err := w.recall(o); err != nil {
		return err
	}
	for range 2 {
		s, err := w.submission(o)
		if err != nil {
			return err
		}
		response, body, err := w.post(ctx, s)
		if err != nil {
			return err
		}
		kind := response.Header.Get("Content-Type")
		switch {
		case response.StatusCode == http.StatusOK:
			line, _, err := w.key.Cosignature(o.note, body)
			if err != nil {
				return fmt.Errorf("its answer: %w", err)
			}
			w.size = o.size
			return w.config.Shelf.Attach(o.note, w.key, line)
		case response.StatusCode == http.StatusConflict && kind == "text/x.tlog.size":
			if err := w.adopt(o, body); err != nil {
				return err
			}
			if err := w.remind(ctx, o); err != nil {
				return err
			}
		case response.StatusCode == http.StatusConflict || response.StatusCode == http.StatusUnprocessableEntity:
			w.find(Finding{Witness: w.key.Name, Size: o.size, Status: response.StatusCode}, s, body)
			return fmt.Errorf("it has seen another tree of this log: %w", refused(response.StatusCode, body))
		default:
			return refused(response.StatusCode, body)
		}
	}
	return errors.New("it names another size each time")
}

// submission proves that the tree that the witness has begins the one that is
// offered. What the own disk does not hold any more is not shown to anybody.
func (w *asked) submission(o offer) (translog.Submission, error) {
	fail := func(err error) (translog.Submission, error) {
		return translog.Submission{}, fmt.Errorf("the published tree: %w", err)
	}
	text, _, _ := strings.Cut(string(o.note), "\n\n")
	head, err := translog.ParseTreeHead(text + "\n")
	if err != nil {
		return fail(err)
	}
	tree := w.config.Shelf.Tree(o.size)
	root, err := translog.TreeRoot(o.size, tree)
	if err == nil && root != head.Root {
		err = errors.New("the tiles have another root than the checkpoint")
	}
	if err != nil {
		return fail(err)
	}
	old, err := translog.TreeRoot(w.size, tree)
	if err != nil {
		return fail(err)
	}
	proof, err := translog.ProveConsistency(w.size, o.size, tree)
	if err != nil {
		return fail(err)
	}
	if err := translog.CheckConsistency(proof, w.size, o.size, old, root); err != nil {
		return fail(err)
	}
	return translog.Submission{Old: w.size, Proof: proof, Note: o.note}, nil
}

func (w *asked) post(ctx context.Context, s translog.Submission) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(s.Bytes()))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := w.client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("its answer is above %d bytes", maxAnswer)
	}
	return response, body, err
}

// adopt takes the size that the witness says it has cosigned.
func (w *asked) adopt(o offer, body []byte) error {
	text, whole := strings.CutSuffix(string(body), "\n")
	size, err := strconv.ParseUint(text, 10, 64)
	if !whole || err != nil || strconv.FormatUint(size, 10) != text || size > translog.MaxSize {
		return fmt.Errorf("it names no size: %.40q", body)
	}
	if size > o.size {
		// A standby may be ahead of this notary. If it is another tree, that shows as
		// soon as this one has grown as far.
		return fmt.Errorf("it has cosigned %d leaves, and %d are published here", size, o.size)
	}
	w.size = size
	return nil
}

// had is the newest head that the witness is shown to have cosigned; the empty one
// where there is none, or its file is damaged.
func (w *asked) had() (head translog.TreeHead, note []byte, err error) {
	if note, err = w.config.Shelf.Cosigned(w.key); err != nil || note == nil {
		return head, nil, err
	}
	if head, err = translog.OpenTreeHead(note, []translog.VKey{w.key}); err != nil {
		return translog.TreeHead{}, nil, nil
	}
	return head, note, nil
}

// recall begins with what the witness is shown to have cosigned: one that has lost
// all would else be asked as if for the first time, and not notice.
func (w *asked) recall(o offer) error {
	if w.recalled {
		return nil
	}
	had, _, err := w.had()
	if err == nil && had.Size <= o.size {
		w.size, w.recalled = had.Size, true
	}
	return err
}

// remind shows a witness that knows less than it has cosigned its own signature: its
// state was set back, and it would as well cosign another tree. Whoever goes on all
// the same is asked from there on.
func (w *asked) remind(ctx context.Context, o offer) error {
	had, note, err := w.had()
	if err != nil || had.Size <= w.size || had.Size > o.size {
		return err
	}
	w.config.Logger.Error("an outside witness has forgotten what it cosigned: it is no witness any more until it has a new key",
		"witness", w.key.Name, "had", had.Size, "has", w.size)
	proof, err := translog.ProveConsistency(w.size, had.Size, w.config.Shelf.Tree(o.size))
	if err != nil {
		return fmt.Errorf("the published tree: %w", err)
	}
	response, body, err := w.post(ctx, translog.Submission{Old: w.size, Proof: proof, Note: note})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it has cosigned %d leaves, says that it has %d, and was reminded: %w", had.Size, w.size, refused(response.StatusCode, body))
	}
	w.size = had.Size
	return nil
}

// refused puts an answer into words; it is a stranger's text, quoted and cut.
func refused(status int, body []byte) error {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	return fmt.Errorf("it answers %d %.100q", status, line)
}
