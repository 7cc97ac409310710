package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// How long answers of the log may be kept by whoever passes them on. A full tile never changes; a partial one does not
// either, but a wider one takes its place soon.
const (
	keepFull    = "max-age=604800, immutable"
	keepPartial = "max-age=60"
)

// serveLog answers what lies under /log/ (c2sp.org/tlog-tiles). path is what follows, still escaped: no path of the
// log has anything to escape.
func (g *gate) serveLog(w http.ResponseWriter, r *http.Request, path string) {
	kind, keep, body, err := g.readLog(r, path)
	if err != nil {
		writeProblem(w, r, g.server.Log, err)
		return
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", keep)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // G705: neither type is one a browser runs, and nosniff holds it to them
}

func (g *gate) readLog(r *http.Request, path string) (kind, keep string, body []byte, err error) {
	tilePath, isTile := strings.CutPrefix(path, "tile/")
	var tile ledger.Tile
	switch {
	case isTile:
		if tile, err = ledger.ParseTile(tilePath); err != nil {
			return "", "", nil, err
		}
	case path != "checkpoint":
		return "", "", nil, stead.E(stead.CodeRouteNotFound, nil)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return "", "", nil, stead.E(stead.CodeMethodNotAllowed, nil)
	}
	if tile.Entries {
		if err := g.mayReadEntries(r); err != nil {
			return "", "", nil, err
		}
	}
	err = g.server.Store.View(r.Context(), func(tx store.Tx) error {
		if !isTile {
			note, err := ledger.SignedNote(tx)
			body = []byte(note)
			return err
		}
		body, err = ledger.ReadTile(tx, tile)
		return err
	})
	if !isTile {
		return "text/plain; charset=utf-8", "no-store", body, err
	}
	return "application/octet-stream", keeping(tile), body, err
}

func keeping(t ledger.Tile) string {
	who, long := "public, ", keepPartial
	if t.Entries {
		who = "private, "
	}
	if t.Full() {
		long = keepFull
	}
	return who + long
}

// mayReadEntries reports why the caller may not read everybody's records, nil when they may.
func (g *gate) mayReadEntries(r *http.Request) error {
	c, err := g.bearer(r)
	if err == nil && !c.staff.Role.May(stead.ActionReadTrail) {
		err = stead.E(stead.CodeRoleForbidden, nil)
	}
	return err
}

// PostHead implements api.StrictServerInterface.
func (s *server) PostHead(ctx context.Context, r api.PostHeadRequestObject) (api.PostHeadResponseObject, error) {
	said, err := toSignedHead(r.DeviceID, r.Epoch, r.Body.Seq, r.Body.Leaf, r.Body.Signature)
	if err != nil {
		return nil, err
	}
	var next uint64
	var found *ledger.ContradictionError
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var err error
		next, found, err = s.Ledger.Meet(tx, who(ctx).Pseudonym, said)
		return err
	})
	if err == nil && found != nil {
		if found.First {
			s.Log.ErrorContext(ctx, "a device contradicts the ledger", "err", found)
		}
		err = found
	}
	return api.PostHead200JSONResponse{NextSeq: *count(next)}, err
}

func toSignedHead(device, epoch string, seq int64, leaf, signature []byte) (ledger.SignedHead, error) {
	head, err := toHead(api.RecordRef{DeviceID: device, Epoch: epoch, Seq: seq, Leaf: leaf})
	if err != nil {
		return ledger.SignedHead{}, stead.Errorf(stead.CodeBadRequest, "field leaf").Because(err)
	}
	return ledger.SignedHead{Head: head, Signature: signature}, nil
}

// ListPositions implements api.StrictServerInterface.
func (s *server) ListPositions(ctx context.Context, r api.ListPositionsRequestObject) (api.ListPositionsResponseObject, error) {
	head, err := toHead(api.RecordRef{DeviceID: r.DeviceID, Epoch: r.Epoch, Leaf: make([]byte, 32)})
	if err != nil {
		return nil, err
	}
	limit := 1000
	if r.Params.Limit != nil {
		limit = *r.Params.Limit
	}
	out := api.ListPositions200JSONResponse{First: r.Params.First}
	err = s.Store.View(ctx, func(tx store.Tx) error {
		var err error
		out.Positions, err = ledger.Positions(tx, head.Device, head.Epoch, uint64(r.Params.First), limit) //nolint:gosec // the contract's minimum is 1
		return err
	})
	return out, err
}

// GetLogTrust implements api.StrictServerInterface.
func (s *server) GetLogTrust(ctx context.Context, _ api.GetLogTrustRequestObject) (api.GetLogTrustResponseObject, error) {
	out := api.GetLogTrust200JSONResponse{Origin: s.Origin, RecoveryKeys: notNil(s.RecoveryKeys)}
	if len(s.OutboxKey) > 0 {
		out.OutboxKey = &s.OutboxKey
	}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		keys, err := tx.LogKeys() // the newest last; what was retired, perhaps because it was stolen, is not to be trusted anew
		out.LogKeys = notNil(keys[max(0, len(keys)-1):])
		return err
	})
	return out, err
}

// ListLogStatements implements api.StrictServerInterface.
func (s *server) ListLogStatements(ctx context.Context, _ api.ListLogStatementsRequestObject) (api.ListLogStatementsResponseObject, error) {
	out := api.ListLogStatements200JSONResponse{Statements: []string{}}
	err := s.Store.View(ctx, func(tx store.Tx) error {
		list, err := tx.Statements()
		for _, one := range list {
			out.Statements = append(out.Statements, one.Note)
		}
		return err
	})
	return out, err
}
