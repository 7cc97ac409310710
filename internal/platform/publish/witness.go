package publish

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"

	"stead/internal/platform/store"
)

// witness is a log's witness (c2sp.org/tlog-witness). It signs a checkpoint only after it saw that the log extends what
// it signed before, so it is the one place that a log cannot show two histories.
type witness struct {
	url  string
	key  audit.Witness
	http *http.Client
	ledger
	size int64 // what it signed last, as far as is known here
}

func (w *witness) name() string { return shown(w.url) }

// bring asks for a cosignature. The witness says by itself when it is further or less far than was thought here.
func (w *witness) bring(ctx context.Context, c checkpoint) error {
	for range 2 {
		status, answer, err := w.ask(ctx, c)
		switch {
		case err != nil:
			return err
		case status == http.StatusOK:
			return w.keep(ctx, c, answer)
		case status == http.StatusConflict:
			if err := w.goOn(ctx, c, answer); err != nil {
				return err
			}
		case status == http.StatusUnprocessableEntity:
			return w.contradicted(ctx, c, w.size, "it refuses the proof that the log extends the %d records it signed", w.size)
		default:
			return refused(status)
		}
	}
	return errors.New("the witness names another size each time")
}

// ask posts "old SIZE", the consistency proof, an empty line and the checkpoint.
func (w *witness) ask(ctx context.Context, c checkpoint) (int, []byte, error) {
	var proof tlog.TreeProof
	proof, err := w.consistency(ctx, w.size, c.Size)
	if err != nil {
		return 0, nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", w.size)
	for _, h := range proof {
		b.WriteString(base64.StdEncoding.EncodeToString(h[:]) + "\n")
	}
	b.WriteByte('\n')
	b.Write(c.signed)
	return send(ctx, w.http, http.MethodPost, strings.TrimRight(w.url, "/")+"/add-checkpoint", []byte(b.String()))
}

// keep stores the checkpoint with both signatures.
func (w *witness) keep(ctx context.Context, c checkpoint, answer []byte) error {
	both, at, err := w.key.Cosigned(c.signed, answer)
	if err != nil {
		return fmt.Errorf("its signature is no good: %w", err)
	}
	err = w.store.Update(ctx, func(tx store.Tx) error {
		return tx.PutCosignature(store.Cosignature{Size: c.Size, Witness: w.key.Name(), Note: string(both), At: at})
	})
	if err == nil || errors.Is(err, store.ErrConflict) { // it signed this one before, and the answer got lost
		w.size, err = c.Size, nil
	}
	return err
}

// goOn takes over the size that the witness says it signed last.
func (w *witness) goOn(ctx context.Context, c checkpoint, answer []byte) error {
	text, ended := strings.CutSuffix(string(answer), "\n")
	held, err := strconv.ParseInt(text, 10, 64)
	if !ended || err != nil || held < 0 || strconv.FormatInt(held, 10) != text {
		return errors.New("the witness names no size")
	}
	switch {
	case held > c.Size:
		return w.contradicted(ctx, c, held, "it signed %d records, and the log has %d", held, c.Size)
	case held == w.size && held == c.Size: // then it is the root that differs
		return w.contradicted(ctx, c, held, "it signed another log of %d records", held)
	case held == w.size:
		return refused(http.StatusConflict)
	}
	w.size = held
	return nil
}

// contradicted is audit.ErrContradiction, unless a declared restore explains what the witness holds.
func (w *witness) contradicted(ctx context.Context, c checkpoint, held int64, format string, args ...any) error {
	var declared bool
	err := w.store.View(ctx, func(tx store.Tx) (err error) {
		declared, err = w.declared(tx, held, c.Size, w.spent)
		return err
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf(format, args...)
	if declared {
		return fmt.Errorf("%s: it was before the declared restore, which its operator has to be told", what)
	}
	return fmt.Errorf("%w: %s", audit.ErrContradiction, what)
}

// spent is whether the witness signed more than what the restore kept: its operator was told by then.
func (w *witness) spent(tx store.Tx, r restore) (bool, error) {
	last, err := tx.Cosignature()
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return last.Witness == w.key.Name() && last.Size > r.Kept.Size, err
}
