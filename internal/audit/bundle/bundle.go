// Package bundle is the file that an auditor gets: the whole log with its checkpoints and keys, the texts, and what the
// platform's database says of sessions, notices, devices and staff, each held against the records. FORMAT.md of package
// audit describes it; Writer makes one and Open and Verify prove one, with no platform at hand.
package bundle

import (
	"encoding/hex"
	"fmt"

	"github.com/google/uuid"
)

// Format is what a manifest of this version names itself.
const Format = "stead-bundle/1"

// documents is how many members are for readers and not looked at.
const documents = 6

// RecordsPerMember is how many records one member holds; only the last may hold fewer.
const RecordsPerMember = 65536

// The members whose names are fixed, in their order; the records stand before pending.
const (
	memberCheckpoint  = "checkpoint"
	memberCheckpoints = "checkpoints.entries"
	memberStatements  = "statements.entries"
	memberKeys        = "keys.txt"
	memberPending     = "pending.entries"
	memberHeads       = "heads.ndjson"
	memberSigned      = "signed.ndjson"
	memberQuarantined = "quarantined.ndjson"
	memberDoubts      = "doubts.ndjson"
	memberDevices     = "devices.ndjson"
	memberStaff       = "staff.ndjson"
	memberTexts       = "texts.ndjson"
	memberSessions    = "sessions.ndjson"
	memberNotices     = "notices.ndjson"
	memberManifest    = "manifest.json"
)

func memberRecords(i int) string { return fmt.Sprintf("records/%06d.entries", i) }

// members lists the names of a bundle's members in their order.
func members(records int) []string {
	out := []string{"README.txt", "FORMAT.md", "vectors.json", "proof.py", "trust.py", "verify.py", memberCheckpoint, memberCheckpoints, memberStatements, memberKeys}
	for i := range records {
		out = append(out, memberRecords(i))
	}
	return append(out, memberPending, memberHeads, memberSigned, memberQuarantined, memberDoubts, memberDevices, memberStaff, memberTexts,
		memberSessions, memberNotices, memberManifest)
}

// The limits of what is read.
const (
	maxManifest = 16 << 20
	maxLine     = 4 << 20
	slack       = 64 << 20 // what a bundle may unpack to beyond maxRatio times its size
	maxRatio    = 200
)

// Manifest is the last member. Tool and MadeMS are what the exporter says of itself; all else can be counted.
type Manifest struct {
	Format      string        `json:"format"`
	Tool        string        `json:"tool"`
	MadeMS      int64         `json:"made_ms"`
	Origin      string        `json:"origin"`
	Size        int64         `json:"size"`
	Root        string        `json:"root"`
	Pending     int64         `json:"pending"`
	Checkpoints int64         `json:"checkpoints"`
	Chains      int64         `json:"chains"`
	SinceMS     *int64        `json:"since_ms"`
	Redacted    bool          `json:"redacted"`
	Texts       TextCounts    `json:"texts"`
	Sessions    SessionCounts `json:"sessions"`
	Notices     NoticeCounts  `json:"notices"`
	Devices     int64         `json:"devices"`
	Staff       int64         `json:"staff"`
	Statements  int64         `json:"statements"`
	SignedHeads int64         `json:"signed_heads"`
	Quarantined int64         `json:"quarantined"`
	Doubts      int64         `json:"doubts"`
	Members     []Member      `json:"members"`
}

// TextCounts counts texts by what became of them.
type TextCounts struct {
	Opened   int64 `json:"opened"`
	Redacted int64 `json:"redacted"`
	Since    int64 `json:"since"`
	Erased   int64 `json:"erased"`
	Absent   int64 `json:"absent"`
}

// Add counts a text that is missing for that reason, and reports whether there is such a reason.
func (c *TextCounts) Add(why string) bool {
	switch why {
	case WhyRedacted:
		c.Redacted++
	case WhySince:
		c.Since++
	case WhyErased:
		c.Erased++
	case WhyAbsent:
		c.Absent++
	default:
		return false
	}
	return true
}

// SessionCounts counts sessions by state, the ended ones by cause.
type SessionCounts struct {
	Started int64            `json:"started"`
	Live    int64            `json:"live"`
	Ended   map[string]int64 `json:"ended"`
	Refused int64            `json:"refused"` // starts that became none
}

// NoticeCounts counts notices by how far they came.
type NoticeCounts struct {
	Hidden   int64 `json:"hidden"`
	Released int64 `json:"released"`
	Read     int64 `json:"read"`
}

// Add counts a notice.
func (c *NoticeCounts) Add(released, read bool) {
	switch {
	case read:
		c.Read++
	case released:
		c.Released++
	default:
		c.Hidden++
	}
}

// Member is what a manifest says of a member.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Head is a line of heads.ndjson.
type Head struct {
	Device string `json:"device"`
	Epoch  string `json:"epoch"`
	Seq    int64  `json:"seq"`
	Leaf   string `json:"leaf"`
}

// SignedHead is a line of signed.ndjson: a head of a chain with its device's signature.
type SignedHead struct {
	Device    string `json:"device"`
	Epoch     string `json:"epoch"`
	Seq       int64  `json:"seq"`
	Leaf      string `json:"leaf"`
	Signature string `json:"signature"`
}

// Quarantined is a line of quarantined.ndjson: what a device delivered in the place of a record and is none.
type Quarantined struct {
	Device   string  `json:"device"`
	Epoch    string  `json:"epoch"`
	Seq      int64   `json:"seq"`
	Said     string  `json:"said"`     // with what the device was refused before, by its own account
	Envelope *string `json:"envelope"` // in base64; null when redacted
}

// Doubt is a line of doubts.ndjson: why the platform doubts what the record at the place says. It is its word alone.
type Doubt struct {
	Place int64  `json:"place"`
	Doubt string `json:"doubt"`
}

// Device is a line of devices.ndjson. Enrolled and Revoked are places of records.
type Device struct {
	Device    string `json:"device"`
	PublicKey string `json:"public_key"`
	KeyID     string `json:"key_id"`
	Enrolled  *int64 `json:"enrolled"`
	Revoked   *int64 `json:"revoked"`
}

// Person is a line of staff.ndjson.
type Person struct {
	Person     *string `json:"person"`
	ID         *string `json:"id"`
	Role       string  `json:"role"`
	Tier       int64   `json:"tier"`
	Privilege  bool    `json:"privilege"`
	Disabled   bool    `json:"disabled"`
	Claims     []int64 `json:"claims"`
	FirstStart *int64  `json:"first_start"`
	LastStart  *int64  `json:"last_start"`
}

// Why a text is not in the bundle.
const (
	WhyRedacted = "redacted"
	WhySince    = "since"
	WhyErased   = "erased"
	WhyAbsent   = "absent"
)

// Texts is a line of texts.ndjson: all texts that the record at the place commits to.
type Texts struct {
	Place   int64     `json:"place"`
	Texts   []Text    `json:"texts"`
	Missing []Missing `json:"missing"`
}

// Text is one text that is there.
type Text struct {
	Name  string `json:"name"`
	Salt  string `json:"salt"`
	Value string `json:"value"`
}

// Missing is one that is not.
type Missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// Session is a line of sessions.ndjson. The last three are places of records.
type Session struct {
	Session string `json:"session"`
	State   string `json:"state"`
	Cause   string `json:"cause"`
	Started *int64 `json:"started"`
	Opened  *int64 `json:"opened"`
	Ended   *int64 `json:"ended"`
}

// Notice is a line of notices.ndjson.
type Notice struct {
	Notice     int64   `json:"notice"`
	Session    *string `json:"session"`
	Kind       string  `json:"kind"`
	CreatedMS  int64   `json:"created_ms"`
	ReleasedMS *int64  `json:"released_ms"`
	ReadMS     *int64  `json:"read_ms"`
}

// unhex reads n bytes in lower-case hex.
func unhex(s string, n int) ([]byte, error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != n || hex.EncodeToString(b) != s {
		return nil, fmt.Errorf("%q is not %d bytes in lower-case hex", s, n)
	}
	return b, nil
}

// sessionBytes reads a session's id in its one form.
func sessionBytes(s string) ([16]byte, error) {
	u, err := uuid.Parse(s)
	if err != nil || u.String() != s {
		return [16]byte{}, fmt.Errorf("%q is not a session's id", s)
	}
	return u, nil
}
