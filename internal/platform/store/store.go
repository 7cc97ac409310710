// Package store declares what the platform needs of a database: transactions and the queries inside them.
// sqlite implements it; a second store answers to the same suite, storetest.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"stead/internal/stead"
)

var (
	// ErrNotFound is returned when the row asked for does not exist.
	ErrNotFound = errors.New("store: not found")
	// ErrConflict is returned when a row with the same key exists, or when an agent would have two open sessions.
	ErrConflict = errors.New("store: conflict")
)

// Store hands out transactions. It is safe for concurrent use.
type Store interface {
	// View runs f in a read-only transaction: one consistent state.
	View(ctx context.Context, f func(Tx) error) error
	// Update runs f in a read-write transaction. It commits durably (fsync) when f returns nil, else rolls back
	// and returns f's error. Updates are serialised where they touch the same rows.
	Update(ctx context.Context, f func(Tx) error) error
	// Scrub returns when what was deleted or overwritten before the call is in none of the store's files any more. It
	// fails when a transaction that began before holds on to it for too long; calling again is harmless.
	Scrub(ctx context.Context) error
	// Close waits for running transactions.
	Close() error
}

// Tx is one transaction. It is not safe for concurrent use and not valid after its function returned.
type Tx interface {
	// Now is the database's clock, in UTC, whole milliseconds, the same for the whole transaction.
	Now() time.Time

	StaffTx
	MemberTx
	DeviceTx
	SessionTx
	IntakeTx
	LogTx
	ChainTx
	NoticeTx
	KeyTx
	ErasureTx
	HoldTx
	RetentionTx
	StatementTx
	LateTx
	ComparisonTx
}

// StaffTx reads and writes the people who work here.
type StaffTx interface {
	Staff(id stead.StaffID) (stead.Staff, error)
	// StaffBySubject finds the person an identity provider calls subject.
	StaffBySubject(issuer, subject string) (stead.Staff, error)
	// PutStaff inserts or replaces by id. issuer and subject may be empty for a person who cannot sign in yet.
	PutStaff(s stead.Staff, issuer, subject string) error
	CountStaff() (int, error)
}

// MemberTx reads and writes members, their accounts and branches.
type MemberTx interface {
	Member(id stead.MemberID) (stead.Member, error)
	// StaffOfMember answers which staff member this member also is: by a link set at import or by the same e-mail
	// address (case folded). ErrNotFound when nobody.
	StaffOfMember(id stead.MemberID) (stead.Staff, error)
	// MemberLink is the link alone, "" when none was set; ErrNotFound when there is no such member.
	MemberLink(id stead.MemberID) (stead.StaffID, error)
	// FindMembers is the type-ahead: words of the query match name (each word a prefix of a name's word), or the
	// whole query is a prefix of e-mail, phone (digits compared), id, account or account name; infix matches come
	// after prefix matches, then by name. Only members that the scope covers. after is the cursor of the previous
	// page, "" for the first; next is "" on the last page.
	//
	// In full: names that begin with the query come first, then the other prefix matches, then members in whose
	// name, e-mail, phone or id every word of the query is found, if one word has three letters; each kind by name.
	// Of the second and of the third kind at most 500 are found. Case and diacritics do not count, wildcards are ordinary
	// characters. An empty query lists everybody in the scope. limit is 20 when it is 0, 200 at most. A damaged
	// cursor is stead.CodeBadRequest.
	FindMembers(query string, scope stead.Scope, limit int, after string) (found []stead.Member, next string, err error)
	PutAccount(id stead.AccountID, name string) error
	PutBranch(id stead.BranchID, account stead.AccountID, name string) error
	// PutMember inserts or replaces by id; staff links the member to a staff member, "" for none.
	PutMember(m stead.Member, staff stead.StaffID) error
	CountMembers() (int, error)
}

// Device is one enrolled installation.
type Device struct {
	ID         stead.DeviceID
	Name       string
	PublicKey  []byte // Ed25519, 32 bytes
	EnrolledBy stead.StaffID
	EnrolledAt time.Time
	RevokedAt  time.Time // zero while it is good
}

// CodeKind is what a single-use code is for.
type CodeKind string

const (
	CodeEnrolment CodeKind = "enrolment"
	CodeSetup     CodeKind = "setup"
)

// DeviceTx reads and writes devices, their chain heads and single-use codes.
type DeviceTx interface {
	Device(id stead.DeviceID) (Device, error)
	// PutDevice inserts; ErrConflict when id or public key is taken.
	PutDevice(d Device) error
	DeviceByKey(publicKey []byte) (Device, error)
	// DeviceHead is the last record of a device's epoch that was taken in; seq 0 and a zero leaf when none was.
	DeviceHead(id stead.DeviceID, epoch [16]byte) (seq uint64, leaf [32]byte, err error)
	SetDeviceHead(id stead.DeviceID, epoch [16]byte, seq uint64, leaf [32]byte) error
	// DeviceEpochs counts the chains that a device has begun.
	DeviceEpochs(id stead.DeviceID) (int, error)
	// PutCode stores the SHA-256 of a single-use code. A zero expiry never expires.
	PutCode(kind CodeKind, hash [32]byte, expires time.Time) error
	// TakeCode uses the code up; ErrNotFound when it is unknown, used or expired.
	TakeCode(kind CodeKind, hash [32]byte) error
	// OpenCodes counts codes of the kind that could still be taken.
	OpenCodes(kind CodeKind) (int, error)
}

// SessionRow is a session with what only the platform knows of it.
type SessionRow struct {
	stead.Session
	RequestKey  uuid.UUID // the start's idempotency key
	RequestHash [32]byte  // of the start's content
	HandoffHash [32]byte  // SHA-256 of the one-time code; zero once it was redeemed
	CodeHash    [32]byte  // ModeFallback: SHA-256 of the member app's one-time code, kept after its use; otherwise zero
	CodeUntil   time.Time // until when that code is good
}

// SessionFilter narrows ListSessions. Zero values do not narrow.
type SessionFilter struct {
	Agent  stead.StaffID
	Member stead.MemberID
	State  string // "live" (not ended), "ended", "all" or ""
	Opened bool   // only sessions whose handoff was redeemed
	After  string // cursor
	Limit  int
}

// SessionTx reads and writes sessions. The database itself keeps one open session per agent, and refuses to change
// an ended session in anything but its note.
type SessionTx interface {
	// InsertSession adds a session in StateStarted; ErrConflict when the agent has an open one or the request key
	// is taken.
	InsertSession(s SessionRow) error
	Session(id stead.SessionID) (SessionRow, error)
	SessionByRequest(agent stead.StaffID, key uuid.UUID) (SessionRow, error)
	// OpenSession is the agent's session that has not ended; ErrNotFound when there is none.
	OpenSession(agent stead.StaffID) (SessionRow, error)
	SetHandoff(id stead.SessionID, hash [32]byte) error
	// SetCode makes the session one of ModeFallback: the handoff is cleared and the member app's code takes its place.
	// ErrConflict when the session is not in StateStarted or its mode is set.
	SetCode(id stead.SessionID, hash [32]byte, until time.Time) error
	// SessionByCode is the session that this code was or is for, used or not; ErrNotFound when it is nobody's.
	SessionByCode(hash [32]byte) (SessionRow, error)
	// MarkLive moves started to live, clears the handoff and sets the times opened and last seen, and the mode,
	// if it is still empty, to ModePipe. Like SetHandoff it is ErrConflict when the session is not in StateStarted.
	MarkLive(id stead.SessionID, at time.Time) error
	// Touch sets the time a heartbeat was last seen, never back; ErrConflict when the session has ended.
	Touch(id stead.SessionID, at time.Time) error
	// EndSession moves to ended; ErrConflict when it had ended already.
	EndSession(id stead.SessionID, at time.Time, cause stead.Cause, by stead.StaffID) error
	// SetNote writes the close-out note once; ErrConflict when it is there or the session has not ended.
	SetNote(id stead.SessionID, at time.Time, text string) error
	// OverdueSessions lists open sessions whose expiry, heartbeat grace or handoff time is over at now.
	OverdueSessions(now time.Time) ([]SessionRow, error)
	// NextDeadline is the earliest time at which OverdueSessions will list one; zero when no session is open.
	NextDeadline() (time.Time, error)
	// ListSessions lists sessions, the newest start first. A damaged cursor or unknown state is stead.CodeBadRequest.
	ListSessions(f SessionFilter) (rows []SessionRow, next string, err error)
	// OwedNotes lists the agent's ended sessions without a note (stead.Session.NoteOwed), oldest first.
	OwedNotes(agent stead.StaffID) ([]SessionRow, error)
}

// IntakeEntry is one record as it was taken in. The database refuses to change or delete it.
type IntakeEntry struct {
	Index       int64 // place in the order of arrival; set by AppendIntake
	EventID     uuid.UUID
	Device      [16]byte // the source: a device, or the platform's instance id
	Epoch       [16]byte
	Seq         uint64 // 0 for the platform's own
	Leaf        [32]byte
	Envelope    []byte
	SealedTexts []byte // texts of the commitments under the person's key; empty when there are none
	TextsOf     stead.Pseudonym
	Kind        string
	Session     stead.SessionID // "" when none
	Actor       stead.Pseudonym
	Subject     stead.Pseudonym // zero when none
	ReceivedAt  time.Time
	DeliveredBy stead.StaffID // who was signed in when a device delivered it; "" for the platform's own
	Doubt       string        // why the platform does not vouch for what a device's record says; "" when it has no reason
}

// LoggedEntry is a record with its place in the log, -1 while it is not in it.
type LoggedEntry struct {
	Position int64
	IntakeEntry
}

// TrailFilter narrows Trail. Zero values do not narrow.
type TrailFilter struct {
	Session stead.SessionID
	Actor   stead.Pseudonym
	Kind    string
	Before  int64 // only entries with a smaller index; 0 for the newest
	Limit   int
}

// IntakeTx takes records in and reads them.
type IntakeTx interface {
	// AppendIntake adds an entry; ErrConflict when the event id or (device, epoch, seq > 0) is taken.
	AppendIntake(e IntakeEntry) (index int64, err error)
	// AppendIntakes adds entries in their order until one is taken, and returns how many it added: all of them, or
	// fewer and ErrConflict.
	AppendIntakes(list []IntakeEntry) (added int, err error)
	// IntakeAt is the entry a device chained at that place.
	IntakeAt(device, epoch [16]byte, seq uint64) (IntakeEntry, error)
	// Trail lists entries, newest first.
	Trail(f TrailFilter) ([]IntakeEntry, error)
	// PersonOf maps a pseudonym back: exactly one of the two is set. ErrNotFound when nobody (any more).
	PersonOf(p stead.Pseudonym) (staff *stead.Staff, member *stead.Member, err error)
}

// LogEntry is a record's place in the Merkle log.
type LogEntry struct {
	Position int64 // from 0
	Index    int64 // of the intake entry
	Leaf     [32]byte
	Envelope []byte
}

// Checkpoint is a signed statement of what the log was at a size.
type Checkpoint struct {
	Size int64
	Note string // signed note, c2sp.org/tlog-checkpoint
	At   time.Time
}

// LogTx keeps the Merkle log over the intake. The database refuses to change or delete anything of it.
type LogTx interface {
	// LogSize is the number of records in the log.
	LogSize() (int64, error)
	// Unlogged lists what the intake holds and the log does not, in the order of arrival, without position.
	Unlogged(limit int) ([]LogEntry, error)
	// AppendLog puts the intake entries of those indexes into the log from the position on, which must be the log's
	// size, and the hashes that they complete from stored-hash index at on. ErrConflict when position, entry or index
	// is taken; the transaction is good for nothing then.
	AppendLog(position int64, indexes []int64, at int64, hashes [][32]byte) error
	// LogHashes reads stored hashes, in the order asked for; ErrNotFound when one is not there.
	LogHashes(at []int64) ([][32]byte, error)
	// LogEntries lists records of the log from a position on, with their envelopes.
	LogEntries(from int64, limit int) ([]LogEntry, error)
	// PutCheckpoint adds a checkpoint; ErrConflict when that size was signed before.
	PutCheckpoint(c Checkpoint) error
	// Checkpoint is the newest one; ErrNotFound when nothing was signed yet.
	Checkpoint() (Checkpoint, error)
	// PutLogKey adds a verifier key of the log; one that is there already stays as it is.
	PutLogKey(key string) error
	// LogKeys lists the verifier keys, the oldest first.
	LogKeys() ([]string, error)
}

// Notice tells a member something. It is hidden until released.
type Notice struct {
	ID         int64
	Member     stead.MemberID
	Session    stead.SessionID
	Kind       string // started or ended
	AgentName  string
	Reason     string
	Cause      stead.Cause
	Address    string // the e-mail address held at the start
	CreatedAt  time.Time
	ReleasedAt time.Time // zero while hidden
	ReadAt     time.Time // zero while unread
	Proof      string    // the newest checkpoint when it was released; "" when nothing was signed by then
}

// MemberNote is a line in a member's notes.
type MemberNote struct {
	Member  stead.MemberID
	Session stead.SessionID
	Author  string
	Kind    string // reason or close_out
	Text    string
	At      time.Time
}

// NoticeTx reads and writes notices and member notes.
type NoticeTx interface {
	// PutNotice adds one; its Proof is not looked at. One that is released at once has the newest checkpoint as its proof.
	PutNotice(n Notice) error
	// ReleaseNotices shows the session's hidden notices to the member, with the newest checkpoint as their proof.
	ReleaseNotices(session stead.SessionID, at time.Time) error
	// Notices lists a member's released notices, newest first.
	Notices(member stead.MemberID, limit int) ([]Notice, error)
	UnreadNotices(member stead.MemberID) (int, error)
	// MarkNoticesRead marks the member's released notices up to that id.
	MarkNoticesRead(member stead.MemberID, upTo int64, at time.Time) error
	PutMemberNote(n MemberNote) error
	// MemberNotes lists a member's notes, newest first.
	MemberNotes(member stead.MemberID, limit int) ([]MemberNote, error)
}

// SigningKey is a platform key at rest.
type SigningKey struct {
	ID        string // key id (kid)
	Sealed    []byte // Ed25519 seed under the platform's key-encryption key
	CreatedAt time.Time
	RetiredAt time.Time // zero for the one that signs
}

// KeyTx keeps sealed keys and single values.
type KeyTx interface {
	// SigningKeys lists all keys, the newest first.
	SigningKeys() ([]SigningKey, error)
	// PutSigningKey inserts; ErrConflict when the id is taken.
	PutSigningKey(k SigningKey) error
	// RetireSigningKey sets the time once; ErrNotFound when there is no such key.
	RetireSigningKey(id string, at time.Time) error
	// PersonKey is the sealed key under which a person's texts of that month lie; ErrNotFound when none was made or it
	// was destroyed.
	PersonKey(p stead.Pseudonym, m Month) ([]byte, error)
	// PutPersonKey inserts; ErrConflict when there is one, for replacing it would destroy the texts under it, and
	// ErrErased when the person was erased. The zero pseudonym is the platform itself.
	PutPersonKey(p stead.Pseudonym, m Month, sealed []byte) error
	Value(name string) (string, error)
	SetValue(name, value string) error
}
