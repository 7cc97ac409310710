package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/desktop/outbox"
	"stead/internal/stead"
)

// recordBatch is the contract's RecordBatch with records that may be in quarantine.
type recordBatch struct {
	FirstSeq  int64          `json:"first_seq"`
	Records   []deviceRecord `json:"records"`
	HeadSeq   int64          `json:"head_seq"`
	HeadLeaf  []byte         `json:"head_leaf"`
	Signature []byte         `json:"signature"`
}

type deviceRecord struct {
	Envelope    []byte           `json:"envelope"`
	Texts       []api.RecordText `json:"texts"`
	Quarantined string           `json:"quarantined,omitempty"`
}

// epochHead is what PostHead says.
type epochHead struct {
	Seq       uint64 `json:"seq"`
	Leaf      []byte `json:"leaf"`
	Signature []byte `json:"signature"`
}

// limits of what is read of a log, in bytes: as much as any of them may have.
const (
	checkpointLimit = 16 << 10
	tileLimit       = 256 * tlog.HashSize
)

// PostHead says where this device's chain ends.
func (c *Client) PostHead(ctx context.Context, head audit.Head, sig []byte) (outbox.Ack, error) {
	body, err := json.Marshal(epochHead{head.Seq, head.Leaf[:], sig})
	if err != nil {
		return outbox.Ack{}, err
	}
	ack, err := read[api.RecordAck](c.send(ctx, http.MethodPost, chainPath(head.Device, head.Epoch)+"/head", body, c.auth))
	return outbox.Ack{Epoch: head.Epoch, NextSeq: uint64(max(ack.NextSeq, 0))}, err
}

// LogTrust asks for the log's name and keys. It needs no sign-in. The answer is worth what the connection is.
func (c *Client) LogTrust(ctx context.Context) (outbox.Trust, error) {
	out, err := read[struct {
		Origin       string   `json:"origin"`
		LogKeys      []string `json:"log_keys"`
		RecoveryKeys []string `json:"recovery_keys"`
	}](c.send(ctx, http.MethodGet, "/v1/log/trust", nil, nil))
	return outbox.Trust{Origin: out.Origin, LogKeys: out.LogKeys, RecoveryKeys: out.RecoveryKeys}, err
}

// Log is the platform's log as one device reads it; it implements outbox.Log.
type Log struct {
	client *Client
	device stead.DeviceID
}

// Log returns the log for that device.
func (c *Client) Log(device stead.DeviceID) *Log { return &Log{c, device} }

// Checkpoint returns the newest checkpoint.
func (l *Log) Checkpoint(ctx context.Context) ([]byte, error) {
	return l.client.fetch(ctx, "/log/checkpoint", checkpointLimit)
}

// Tile returns hashes of the log (audit.Tiles).
func (l *Log) Tile(ctx context.Context, level int, index int64, width int) ([]byte, error) {
	t := tlog.Tile{H: audit.TileHeight, L: level, N: index, W: width}
	path, ok := strings.CutPrefix(t.Path(), "tile/"+strconv.Itoa(audit.TileHeight)+"/") // c2sp.org/tlog-tiles leaves the height out
	if !ok {
		return nil, fmt.Errorf("no tile has the path %s", t.Path())
	}
	return l.client.fetch(ctx, "/log/tile/"+path, tileLimit)
}

// Positions returns where the device's records stand in the log.
func (l *Log) Positions(ctx context.Context, epoch audit.Epoch, first uint64, limit int) ([]int64, error) {
	path := fmt.Sprintf("%s/positions?first=%d&limit=%d", chainPath(l.device, epoch), first, limit)
	out, err := read[struct {
		First     uint64  `json:"first"`
		Positions []int64 `json:"positions"`
	}](l.client.send(ctx, http.MethodGet, path, nil, l.client.auth))
	if err == nil && len(out.Positions) > 0 && out.First != first {
		err = stead.Errorf(stead.CodeVersion, "positions from %d", out.First)
	}
	return out.Positions, err
}

// Statements returns what was stated about the log, oldest first.
func (l *Log) Statements(ctx context.Context) ([][]byte, error) {
	out, err := read[struct {
		Statements []string `json:"statements"`
	}](l.client.send(ctx, http.MethodGet, "/v1/log/statements", nil, nil))
	statements := make([][]byte, 0, len(out.Statements))
	for _, s := range out.Statements {
		statements = append(statements, []byte(s))
	}
	return statements, err
}

func chainPath(device stead.DeviceID, epoch audit.Epoch) string {
	return "/v1/audit/" + string(device) + "/" + epoch.String()
}

// send makes a request of the platform; body and edit may be nil.
func (c *Client) send(ctx context.Context, method, path string, body []byte, edit api.RequestEditorFn) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if edit != nil {
		if err := edit(ctx, req); err != nil {
			return nil, err
		}
	}
	return c.http.Do(req)
}

// fetch reads a public file of at most limit bytes.
func (c *Client) fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	resp, err := c.send(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, stead.E(stead.CodeUnreachable, err)
	case resp.StatusCode != http.StatusOK:
		return nil, paused(resp, refusal(resp, data))
	case int64(len(data)) > limit:
		return nil, stead.Errorf(stead.CodeVersion, "%s has more than %d bytes", path, limit)
	}
	return data, nil
}

// recordError is CodeRecordInvalid with the record it is about.
type recordError struct {
	refused *stead.Error
	seq     uint64
}

func (e *recordError) Error() string  { return fmt.Sprintf("record %d: %v", e.seq, e.refused) }
func (e *recordError) Unwrap() error  { return e.refused }
func (e *recordError) BadSeq() uint64 { return e.seq }

// blamed adds which record a problem is about, where it says so.
func blamed(e *stead.Error, problem []byte) error {
	var p struct {
		BadSeq uint64 `json:"bad_seq"`
	}
	if e.Code != stead.CodeRecordInvalid || json.Unmarshal(problem, &p) != nil || p.BadSeq == 0 {
		return e
	}
	return &recordError{e, p.BadSeq}
}

// pausedError is a refusal that says when to come back.
type pausedError struct {
	refused error
	pause   time.Duration
}

func (e *pausedError) Error() string             { return fmt.Sprintf("%v; again in %s", e.refused, e.pause) }
func (e *pausedError) Unwrap() error             { return e.refused }
func (e *pausedError) RetryAfter() time.Duration { return e.pause }

// paused adds what Retry-After (RFC 9110 10.2.3) says of a refusal.
func paused(resp *http.Response, refused error) error {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return refused
	}
	value := resp.Header.Get("Retry-After")
	pause := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		pause = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		pause = time.Until(at)
	}
	if pause <= 0 {
		return refused
	}
	return &pausedError{refused, pause}
}
