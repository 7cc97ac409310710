// Package client speaks to the platform for the desktop: it adds the access token, turns answers into the
// contract's types and refusals into *stead.Error.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"
	"stead/internal/token"
)

// TokenSource hands out a valid access token, or CodeSignInRequired.
type TokenSource interface {
	Token(ctx context.Context) (string, error)
}

// Client is safe for concurrent use.
type Client struct {
	raw    *api.Client
	http   *http.Client
	base   string
	tokens TokenSource
}

// limits of one request and its answer.
const (
	requestLimit = 15 * time.Second
	answerLimit  = 8 << 20
)

// New returns a client of the platform at base, e.g. https://stead.example.org. tokens may be nil for Version and
// Keys, which need none. A nil hc is NewHTTP. Redirects are never followed.
func New(base string, tokens TokenSource, hc *http.Client) (*Client, error) {
	if hc == nil {
		hc = NewHTTP()
	}
	own := *hc
	// A redirect would carry the access token to wherever the answer says.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base = strings.TrimSuffix(base, "/")
	raw, err := api.NewClient(base, api.WithHTTPClient(&own))
	if err != nil {
		return nil, stead.Errorf(stead.CodeConfigInvalid, "platform address").Because(err)
	}
	return &Client{raw: raw, http: &own, base: base, tokens: tokens}, nil
}

// auth adds the access token to a request.
func (c *Client) auth(ctx context.Context, r *http.Request) error {
	t, err := c.tokens.Token(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+t)
	return nil
}

// read turns an answer into T, or into the error it describes.
func read[T any](resp *http.Response, err error) (T, error) {
	var out T
	if err != nil {
		return out, failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return out, stead.E(stead.CodeUnreachable, err)
	}
	if resp.StatusCode != http.StatusOK {
		return out, paused(resp, refusal(resp, body))
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, stead.E(stead.CodeVersion, err)
	}
	return out, nil
}

// failed keeps the code of an error that happened before the request left (no sign-in), and calls the rest
// unreachable.
func failed(err error) error {
	var e *stead.Error
	if errors.As(err, &e) {
		return e
	}
	return stead.E(stead.CodeUnreachable, err)
}

// gapError is CodeChainGap with the sequence the platform expects.
type gapError struct{ next uint64 }

func (e *gapError) Error() string { return fmt.Sprintf("the platform expects record %d", e.next) }
func (e *gapError) Unwrap() error { return stead.E(stead.CodeChainGap, nil) }

func refusal(resp *http.Response, body []byte) error {
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil || !stead.Code(p.Code).Known() {
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			return stead.Errorf(stead.CodeUnreachable, "status %d", resp.StatusCode)
		}
		return stead.Errorf(stead.CodeVersion, "status %d", resp.StatusCode)
	}
	if stead.Code(p.Code) == stead.CodeChainGap && p.NextSeq != nil && *p.NextSeq > 0 {
		return &gapError{next: uint64(*p.NextSeq)}
	}
	e := stead.E(stead.Code(p.Code), nil)
	if p.Detail != nil {
		e.Detail = *p.Detail
	}
	if e.Code == stead.CodeRecordInvalid && p.BadSeq != nil && *p.BadSeq > 0 {
		return &recordError{e, uint64(*p.BadSeq)}
	}
	return e
}

// Version asks what the platform is. It needs no sign-in.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return read[api.Version](c.raw.GetVersion(ctx))
}

// Keys fetches the platform's public keys. It needs no sign-in.
func (c *Client) Keys(ctx context.Context) (token.Public, error) {
	set, err := read[token.JWKS](c.raw.GetJwks(ctx))
	if err != nil {
		return nil, err
	}
	return set.Public()
}

// Me asks who is signed in.
func (c *Client) Me(ctx context.Context) (api.Me, error) {
	return read[api.Me](c.raw.GetMe(ctx, c.auth))
}

// Claim makes the signed-in person the first superadmin.
func (c *Client) Claim(ctx context.Context, code string) (api.Me, error) {
	return read[api.Me](c.raw.ClaimSetup(ctx, &api.ClaimSetupParams{IdempotencyKey: stead.NewEventID()}, api.SetupRequest{Code: code}, c.auth))
}

// EnrolmentCode makes a code for another device.
func (c *Client) EnrolmentCode(ctx context.Context) (api.EnrolmentCode, error) {
	return read[api.EnrolmentCode](c.raw.CreateEnrolmentCode(ctx, &api.CreateEnrolmentCodeParams{IdempotencyKey: stead.NewEventID()}, c.auth))
}

// Enrol enrols a device.
func (c *Client) Enrol(ctx context.Context, req api.EnrolRequest) (stead.DeviceID, error) {
	out, err := read[api.Enrolled](c.raw.EnrolDevice(ctx, &api.EnrolDeviceParams{IdempotencyKey: stead.NewEventID()}, req, c.auth))
	return stead.DeviceID(out.DeviceID), err
}

// Find searches members.
func (c *Client) Find(ctx context.Context, query, cursor string) (api.MemberPage, error) {
	p := &api.FindMembersParams{Q: query}
	if cursor != "" {
		p.Cursor = &cursor
	}
	return read[api.MemberPage](c.raw.FindMembers(ctx, p, c.auth))
}

// Member opens a profile.
func (c *Client) Member(ctx context.Context, id stead.MemberID) (api.Profile, error) {
	return read[api.Profile](c.raw.GetMember(ctx, string(id), c.auth))
}

// CheckIdentity records an identity check.
func (c *Client) CheckIdentity(ctx context.Context, id stead.MemberID, name, email bool) (api.IdentityCheck, error) {
	return read[api.IdentityCheck](c.raw.CheckIdentity(ctx, string(id), &api.CheckIdentityParams{IdempotencyKey: stead.NewEventID()},
		api.IdentityCheckRequest{NameMatches: name, EmailMatches: email}, c.auth))
}

// Start asks for a session. key is the intent record's event id; sent again with the same content it is harmless.
func (c *Client) Start(ctx context.Context, key uuid.UUID, req api.StartRequest) (api.Started, error) {
	return read[api.Started](c.raw.StartSession(ctx, &api.StartSessionParams{IdempotencyKey: key}, req, c.auth))
}

// Redeem exchanges the handoff for the credential.
func (c *Client) Redeem(ctx context.Context, id stead.SessionID, req api.RedeemRequest) (api.Opened, error) {
	return read[api.Opened](c.raw.RedeemHandoff(ctx, string(id), &api.RedeemHandoffParams{IdempotencyKey: stead.NewEventID()}, req, c.auth))
}

// Heartbeat says that the session is still watched, and where this device's chain ends. Without a signature it does not
// speak of the chain.
func (c *Client) Heartbeat(ctx context.Context, id stead.SessionID, head audit.Head, sig []byte) (api.Pulse, error) {
	if len(sig) == 0 {
		return read[api.Pulse](c.raw.HeartbeatWithBody(ctx, string(id), "application/json", http.NoBody, c.auth))
	}
	return read[api.Pulse](c.raw.Heartbeat(ctx, string(id),
		api.ChainHead{Epoch: head.Epoch.String(), Seq: int64(head.Seq), Leaf: head.Leaf[:], Signature: sig}, c.auth)) //nolint:gosec // a count of records
}

// End ends a session.
func (c *Client) End(ctx context.Context, id stead.SessionID, cause stead.Cause) (api.Session, error) {
	return read[api.Session](c.raw.EndSession(ctx, string(id), &api.EndSessionParams{IdempotencyKey: stead.NewEventID()},
		api.EndRequest{Cause: api.EndRequestCause(cause)}, c.auth))
}

// WriteNote writes the close-out note.
func (c *Client) WriteNote(ctx context.Context, id stead.SessionID, text string) (api.Session, error) {
	return read[api.Session](c.raw.WriteNote(ctx, string(id), &api.WriteNoteParams{IdempotencyKey: stead.NewEventID()}, api.NoteRequest{Text: text}, c.auth))
}

// Session reads one session.
func (c *Client) Session(ctx context.Context, id stead.SessionID) (api.Session, error) {
	return read[api.Session](c.raw.GetSession(ctx, string(id), c.auth))
}

// Sessions lists sessions by state: live, ended or all.
func (c *Client) Sessions(ctx context.Context, state, cursor string) (api.SessionPage, error) {
	s := api.ListSessionsParamsState(state)
	p := &api.ListSessionsParams{State: &s}
	if cursor != "" {
		p.Cursor = &cursor
	}
	return read[api.SessionPage](c.raw.ListSessions(ctx, p, c.auth))
}

// Trail reads records, newest first; of one session when it is given.
func (c *Client) Trail(ctx context.Context, session, cursor string, limit int) (api.TrailPage, error) {
	p := &api.ReadTrailParams{Limit: &limit}
	if session != "" {
		p.Session = &session
	}
	if cursor != "" {
		p.Cursor = &cursor
	}
	return read[api.TrailPage](c.raw.ReadTrail(ctx, p, c.auth))
}
