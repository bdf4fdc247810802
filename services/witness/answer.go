package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"

	"github.com/tripoint/tripoint/pkg/translog"
)

// refusal is an answer without a signature.
type refusal struct {
	code int    // HTTP status, as C2SP tlog-witness assigns them
	size string // with 409: the size that the witness has, in decimal
	why  string // one line for a person
}

func (r *refusal) Error() string { return r.why }

func refuse(code int, format string, args ...any) error {
	return &refusal{code: code, why: fmt.Sprintf(format, args...)}
}

func (w *Witness) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", w.addCheckpoint)
	return mux
}

func (w *Witness) addCheckpoint(rw http.ResponseWriter, r *http.Request) {
	line, err := w.read(rw, r)
	rw.Header().Set("X-Content-Type-Options", "nosniff")
	var refused *refusal
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, err = rw.Write(line)
	case !errors.As(err, &refused):
		w.log.Error("a checkpoint could not be cosigned", "error", err)
		http.Error(rw, "the witness has a fault of its own", http.StatusInternalServerError)
		return
	case refused.size != "":
		rw.Header().Set("Content-Type", "text/x.tlog.size")
		rw.WriteHeader(refused.code)
		_, err = io.WriteString(rw, refused.size+"\n")
	default:
		http.Error(rw, refused.why, refused.code)
	}
	w.log.Debug("add-checkpoint", "answer", err)
}

// read takes a request apart and has it judged.
func (w *Witness) read(rw http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, translog.MaxSubmission))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, refuse(http.StatusRequestEntityTooLarge, "the body is above %d bytes", translog.MaxSubmission)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the body ended early")
	}
	submission, err := translog.ParseSubmission(body)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	origin, err := translog.ClaimedOrigin(submission.Note)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "checkpoint: %v", err)
	}
	known := w.logs[origin]
	if known == nil {
		return nil, refuse(http.StatusNotFound, "this witness does not cosign that log")
	}
	head, err := translog.OpenTreeHead(submission.Note, known.keys)
	if _, bad := errors.AsType[*translog.BadSignature](err); bad {
		return nil, refuse(http.StatusForbidden, "%v", err)
	}
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "checkpoint: %v", err)
	}
	return w.judge(known, submission, head)
}

// judge cosigns a head that the log signed, where it continues what was cosigned
// before. Nothing else changes a record, and only one judgement runs at a time: a
// larger tree cannot slip in between comparing and keeping.
func (w *Witness) judge(r *record, s translog.Submission, head translog.TreeHead) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.remembers(r, s.Note); err != nil {
		return nil, err
	}
	have := r.head
	switch {
	case s.Old > head.Size:
		return nil, refuse(http.StatusBadRequest, "old size %d is above the checkpoint's %d", s.Old, head.Size)
	case s.Old != have.Size:
		return nil, &refusal{code: http.StatusConflict, size: fmt.Sprint(have.Size), why: "old size is not the newest one"}
	case head.Size == have.Size && head.Size > 0 && head.Root != have.Root:
		w.convict(r, head)
		return nil, refuse(http.StatusConflict, "another root of %d leaves was cosigned", have.Size)
	}
	if err := translog.CheckConsistency(s.Proof, have.Size, head.Size, have.Root, head.Root); err != nil {
		w.log.Warn("a signed checkpoint came without a proof that it continues the last one",
			"origin", head.Origin, "have", have.Size, "offered", head.Size, "root", head.Root)
		return nil, refuse(http.StatusUnprocessableEntity, "the proof does not hold")
	}
	now := w.now().Unix()
	if now < 0 {
		return nil, errors.New("the clock is before 1970")
	}
	if head.Size > have.Size {
		// If this fails nothing was signed, whatever the disk holds: both the old and
		// the new head are continued by whatever is signed next.
		if err := w.disk.Replace(r.path, encode(head), 0o600); err != nil {
			return nil, fmt.Errorf("keeping size %d of %q: %w", head.Size, head.Origin, err)
		}
		r.head = head
	}
	return w.signer.Cosign(head, uint64(now))
}

// convict keeps the proof that a log signed two trees of one size; the first one
// found is proof enough.
func (w *Witness) convict(r *record, second translog.TreeHead) {
	w.log.Error("a log has signed two trees of one size", "origin", second.Origin, "size", second.Size,
		"first", r.head.Root, "second", second.Root, "proof", r.fork())
	if _, err := os.Stat(r.fork()); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err := w.disk.Replace(r.fork(), fmt.Appendf(nil, "%s\n%s", r.head.Note, second.Note), 0o600); err != nil {
		w.log.Error("keeping the proof", "error", err)
	}
}
