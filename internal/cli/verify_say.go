package cli

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"stead/internal/audit"
	"stead/internal/audit/bundle"
)

// write says what was proven and, as plainly, what was not.
func (c *verifyCommand) write(out io.Writer, p verified) error {
	var b strings.Builder
	fmt.Fprintf(&b, "proven: %s, %s, root %s\n", p.Checkpoint.Origin, many(p.Checkpoint.Size, "record"), hex.EncodeToString(p.Checkpoint.Root[:]))
	if p.tree {
		fmt.Fprintf(&b, "  the hashes of all records make the root that was signed\n  the records themselves were not read: --token-file FILE proves them too\n")
	} else {
		fmt.Fprintf(&b, "  each record is the one that was logged, in its place; %s without a gap; %s with them\n",
			many(int64(p.Chains), "device chain"), agree(p.Checkpoints, "checkpoint"))
	}
	if p.noChains {
		fmt.Fprintf(&b, "  what the platform acknowledged to devices, and its older checkpoints, are not served: only its data folder and bundles show them\n")
	}
	if p.bundle != nil {
		writeBundle(&b, p)
	}
	if !p.tree {
		writeFound(&b, p)
	}
	if p.followed > 0 {
		fmt.Fprintf(&b, "  %s followed, from the keys in %s to the one that signs now\n", many(int64(p.followed), "handover"), c.Key)
	}
	if p.Pending > 0 {
		fmt.Fprintf(&b, "  taken in and not in the log yet: %s; nothing is signed over them\n", many(p.Pending, "record"))
	}
	if p.Unknown > 0 {
		fmt.Fprintf(&b, "  signed by keys that %s does not hold: %s\n", c.Key, many(p.Unknown, "older checkpoint"))
	}
	if c.Key == "" {
		fmt.Fprintf(&b, "  signed by a key that the ledger names itself: whose log it is, only --key FILE shows\n")
	}
	if c.Trusted == "" {
		fmt.Fprintf(&b, "  whether the whole was rolled back or written anew only --trusted-checkpoint FILE can show\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeBundle(b *strings.Builder, p verified) {
	m := p.bundle
	ended := int64(0)
	for _, n := range m.Sessions.Ended {
		ended += n
	}
	fmt.Fprintf(b, "  sessions: %d, of which %d not opened yet, %d live, %d ended; each has one start and at most one end, and no end is without a start; starts refused: %d\n",
		m.Sessions.Started+m.Sessions.Live+ended, m.Sessions.Started, m.Sessions.Live, ended, m.Sessions.Refused)
	fmt.Fprintf(b, "  texts: %d are those that the records commit to; %d withheld, %d older than asked for, %d erased, %d never there\n",
		m.Texts.Opened, m.Texts.Redacted, m.Texts.Since, m.Texts.Erased, m.Texts.Absent)
	fmt.Fprintf(b, "  devices: %d of %s signed by their device up to the last record; quarantined and kept: %s\n",
		p.signed, many(int64(p.Chains), "chain"), many(m.Quarantined, "record"))
	if p.claimed > 0 {
		fmt.Fprintf(b, "  devices signed to have %s more than the platform does: on the way, perhaps\n", many(p.claimed, "record"))
	}
	fmt.Fprintf(b, "  notices: each start and each end of an opened session has one; %d hidden, %d shown, %d read\n", m.Notices.Hidden, m.Notices.Released, m.Notices.Read)
	fmt.Fprintf(b, "  the platform's word alone: roles and privileges of today, times of notices, who a pseudonym is; %s about records\n", many(m.Doubts, "doubt"))
}

// verifyJSON is what --json prints.
type verifyJSON struct {
	Proven      bool             `json:"proven"`
	Origin      string           `json:"origin"`
	Records     int64            `json:"records"`
	Root        string           `json:"root"` // in hex, as everywhere but in checkpoints
	Pending     int64            `json:"pending"`
	Chains      int              `json:"chains"`
	Checkpoints int64            `json:"checkpoints"`
	UnknownKeys int64            `json:"checkpoints_of_unknown_keys"`
	KeysGiven   bool             `json:"keys_given"`
	Trusted     bool             `json:"trusted_checkpoint_given"`
	TreeOnly    bool             `json:"tree_only,omitempty"` // the records themselves were not read
	Bridged     int64            `json:"bridged"`
	Intents     intentsJSON      `json:"intents"`
	Strange     int64            `json:"device_records_of_unknown_sessions"`
	Statements  []statedJSON     `json:"statements"`
	Followed    int              `json:"handovers_followed"`
	Signed      int64            `json:"chains_signed_by_device,omitempty"`
	Claimed     int64            `json:"records_claimed_beyond,omitempty"`
	Bundle      *bundle.Manifest `json:"bundle,omitempty"`
	Broken      *brokenJSON      `json:"broken,omitempty"`
}

// brokenJSON is the first thing that is wrong. Without place, no single record is to blame.
type brokenJSON struct {
	Place *int64 `json:"place,omitempty"`
	What  string `json:"what"`
}

func (c *verifyCommand) writeJSON(out io.Writer, p verified, broken *audit.LedgerBroken) error {
	answer := verifyJSON{Proven: broken == nil, Origin: p.Checkpoint.Origin, Records: p.Checkpoint.Size, Root: hex.EncodeToString(p.Checkpoint.Root[:]), Pending: p.Pending,
		Chains: p.Chains, Checkpoints: p.Checkpoints, UnknownKeys: p.Unknown, KeysGiven: c.Key != "", Trusted: c.Trusted != "",
		TreeOnly: p.tree, Bridged: p.Bridged, Intents: intentsJSON(p.Intents), Strange: p.Strange, Statements: statedAsJSON(p.Stated), Followed: p.followed, Signed: p.signed,
		Claimed: p.claimed, Bundle: p.bundle}
	if broken != nil {
		answer.Broken = &brokenJSON{What: broken.What}
		if broken.Place >= 0 {
			answer.Broken.Place = &broken.Place
		}
	}
	return json.NewEncoder(out).Encode(answer)
}
