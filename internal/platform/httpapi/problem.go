package httpapi

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"stead/internal/api"
	"stead/internal/stead"

	"stead/internal/platform/ledger"
	"stead/internal/platform/store"
)

// statuses is the one table from code to HTTP status. Codes that are not in it never leave the platform: they are
// the desktop's own.
var statuses = map[stead.Code]int{
	stead.CodeSignInRequired:  http.StatusUnauthorized,
	stead.CodeNotStaff:        http.StatusForbidden,
	stead.CodeStaffDisabled:   http.StatusForbidden,
	stead.CodeRoleForbidden:   http.StatusForbidden,
	stead.CodeAppUnauthorized: http.StatusUnauthorized,

	stead.CodeChain:          http.StatusForbidden,
	stead.CodeNoPrivilege:    http.StatusForbidden,
	stead.CodeMemberNotFound: http.StatusNotFound,
	stead.CodeSelf:           http.StatusForbidden,
	stead.CodePeer:           http.StatusForbidden,
	stead.CodeMemberDisabled: http.StatusForbidden,
	stead.CodeNotesOwed:      http.StatusConflict,
	stead.CodeReasonInvalid:  http.StatusUnprocessableEntity,
	stead.CodeTicketInvalid:  http.StatusUnprocessableEntity,
	stead.CodeConsentMissing: http.StatusUnprocessableEntity,

	stead.CodeSessionNotFound:     http.StatusNotFound,
	stead.CodeSessionEnded:        http.StatusConflict,
	stead.CodeHandoffInvalid:      http.StatusConflict,
	stead.CodeIntentMissing:       http.StatusConflict,
	stead.CodeIntentMismatch:      http.StatusConflict,
	stead.CodeIdempotencyConflict: http.StatusConflict,
	stead.CodeNoteInvalid:         http.StatusUnprocessableEntity,

	stead.CodeDeviceUnknown:    http.StatusForbidden,
	stead.CodeDeviceSignature:  http.StatusForbidden,
	stead.CodeEnrolmentInvalid: http.StatusForbidden,
	stead.CodeSetupInvalid:     http.StatusForbidden,

	stead.CodeChainFork:     http.StatusConflict,
	stead.CodeChainGap:      http.StatusPreconditionFailed,
	stead.CodeRecordInvalid: http.StatusUnprocessableEntity,

	stead.CodeLegalHold:   http.StatusConflict,
	stead.CodeSessionOpen: http.StatusConflict,

	stead.CodeBadRequest:       http.StatusBadRequest,
	stead.CodeRouteNotFound:    http.StatusNotFound,
	stead.CodeMethodNotAllowed: http.StatusMethodNotAllowed,
	stead.CodeTooLarge:         http.StatusRequestEntityTooLarge,
	stead.CodeInternal:         http.StatusInternalServerError,
}

// Status is the HTTP status of a code, and whether the code is one the platform answers at all.
func Status(c stead.Code) (status int, wire bool) {
	status, wire = statuses[c]
	if !wire {
		status = http.StatusInternalServerError
	}
	return status, wire
}

// count is a number of records as the contract has it.
func count(n uint64) *int64 {
	v := int64(n) //nolint:gosec // chains are far shorter
	return &v
}

// writeProblem answers an error as application/problem+json (RFC 9457). What is not a *stead.Error, or has a code
// of the desktop's, becomes "internal" and is logged; its text never leaves.
func writeProblem(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	var e *stead.Error
	code := stead.CodeOf(err)
	if errors.Is(err, store.ErrConflict) {
		code = stead.CodeIdempotencyConflict // the key, or what it stands for, is taken by something else
	}
	if _, wire := Status(code); !wire {
		code = stead.CodeInternal
	}
	if code == stead.CodeInternal {
		log.ErrorContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	}
	status, _ := Status(code)
	p := api.Problem{Type: "urn:stead:problem:" + string(code), Title: code.Sentence(), Hint: code.Hint(), Status: status, Code: api.ProblemCode(code)}
	if errors.As(err, &e) && e.Detail != "" && code == e.Code {
		p.Detail = &e.Detail
	}
	var gap *ledger.GapError
	if errors.As(err, &gap) {
		p.NextSeq = count(gap.NextSeq)
	}
	var fork *ledger.ContradictionError
	if errors.As(err, &fork) {
		p.NextSeq = count(fork.NextSeq)
	}
	var bad *ledger.BadRecordError
	if errors.As(err, &bad) {
		p.BadSeq = count(bad.Seq)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", map[bool]string{true: `Basic realm="stead"`, false: `Bearer`}[code == stead.CodeAppUnauthorized])
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone if this fails
}
