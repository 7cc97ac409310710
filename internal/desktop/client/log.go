package client

import (
	"context"
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

// limits of what is read of a log, in bytes: as much as any of them may have.
const (
	checkpointLimit = 16 << 10
	tileLimit       = 256 * tlog.HashSize
)

// PostHead says where this device's chain ends.
func (c *Client) PostHead(ctx context.Context, head audit.Head, sig []byte) (outbox.Ack, error) {
	ack, err := read[api.RecordAck](c.raw.PostHead(ctx, string(head.Device), head.Epoch.String(),
		api.EpochHead{Seq: int64(head.Seq), Leaf: head.Leaf[:], Signature: sig}, c.auth)) //nolint:gosec // a count of records
	return outbox.Ack{Epoch: head.Epoch, NextSeq: uint64(max(ack.NextSeq, 0))}, err
}

// LogTrust asks for the log's name and keys, and for the public key for which this machine's outbox seals its data key, so
// that the platform can read the file should the keyring be lost; nil when the platform announces none. It needs no
// sign-in. The answer is worth what the connection is.
func (c *Client) LogTrust(ctx context.Context) (t outbox.Trust, outboxKey []byte, err error) {
	out, err := read[api.LogTrust](c.raw.GetLogTrust(ctx))
	if out.OutboxKey != nil {
		outboxKey = *out.OutboxKey
	}
	return outbox.Trust{Origin: out.Origin, LogKeys: out.LogKeys, RecoveryKeys: out.RecoveryKeys}, outboxKey, err
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
	out, err := read[api.Positions](l.client.raw.ListPositions(ctx, string(l.device), epoch.String(),
		&api.ListPositionsParams{First: int64(first), Limit: &limit}, l.client.auth)) //nolint:gosec // a count of records
	if err == nil && len(out.Positions) > 0 && out.First != int64(first) { //nolint:gosec // a count of records
		err = stead.Errorf(stead.CodeVersion, "positions from %d", out.First)
	}
	return out.Positions, err
}

// Statements returns what was stated about the log, oldest first.
func (l *Log) Statements(ctx context.Context) ([][]byte, error) {
	out, err := read[api.LogStatements](l.client.raw.ListLogStatements(ctx))
	statements := make([][]byte, 0, len(out.Statements))
	for _, s := range out.Statements {
		statements = append(statements, []byte(s))
	}
	return statements, err
}

// fetch reads a public file of at most limit bytes.
func (c *Client) fetch(ctx context.Context, path string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
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
