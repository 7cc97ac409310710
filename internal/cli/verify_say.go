package cli

import (
	"encoding/base64"
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
	fmt.Fprintf(&b, "proven: %s, %d records, root %s\n", p.Checkpoint.Origin, p.Checkpoint.Size, base64.StdEncoding.EncodeToString(p.Checkpoint.Root[:]))
	if p.tree {
		fmt.Fprintf(&b, "  the hashes of all records make the root that was signed\n  the records themselves were not read: --token-file FILE proves them too\n")
	} else {
		fmt.Fprintf(&b, "  each record is the one that was logged, in its place; %d device chains without a gap; %d checkpoints agree\n", p.Chains, p.Checkpoints)
	}
	if p.noChains {
		fmt.Fprintf(&b, "  what the platform acknowledged to devices, and its older checkpoints, are not served: only its data folder and bundles show them\n")
	}
	if p.bundle != nil {
		writeBundle(&b, p)
	}
	if p.Bridged > 0 {
		fmt.Fprintf(&b, "  %d records of devices are not in the log; records of the platform name them and say why\n", p.Bridged)
	}
	if p.followed > 0 {
		fmt.Fprintf(&b, "  %d handovers lead from the keys in %s to the one that signs now\n", p.followed, c.Key)
	}
	if p.Statements > 0 {
		fmt.Fprintf(&b, "  %d statements about the log (its keys, restores) are there, each under its record\n", p.Statements)
	}
	if p.Pending > 0 {
		fmt.Fprintf(&b, "  %d records were taken in and are not in the log yet: nothing is signed over them\n", p.Pending)
	}
	if p.Unknown > 0 {
		fmt.Fprintf(&b, "  %d older checkpoints are signed by keys that %s does not hold\n", p.Unknown, c.Key)
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
	fmt.Fprintf(b, "  sessions: %d started, %d live, %d ended, each start with at most one end and no end without a start; %d starts refused\n",
		m.Sessions.Started, m.Sessions.Live, ended, m.Sessions.Refused)
	fmt.Fprintf(b, "  texts: %d are those that the records commit to; %d withheld, %d older than asked for, %d erased, %d never there\n",
		m.Texts.Opened, m.Texts.Redacted, m.Texts.Since, m.Texts.Erased, m.Texts.Absent)
	fmt.Fprintf(b, "  devices: %d of %d chains are signed by their device up to their last record; %d quarantined records are those that were kept\n",
		p.signed, p.Chains, m.Quarantined)
	if p.claimed > 0 {
		fmt.Fprintf(b, "  devices signed to have %d records more than the platform does: they may be on their way\n", p.claimed)
	}
	fmt.Fprintf(b, "  notices: each start and each end of an opened session has one; %d hidden, %d shown, %d read\n", m.Notices.Hidden, m.Notices.Released, m.Notices.Read)
	fmt.Fprintf(b, "  the platform's word alone: roles and privileges of today, times of notices, who a pseudonym is; %d doubts about records\n", m.Doubts)
}

// verifyJSON is what --json prints.
type verifyJSON struct {
	Proven      bool             `json:"proven"`
	Origin      string           `json:"origin"`
	Records     int64            `json:"records"`
	Root        []byte           `json:"root"`
	Pending     int64            `json:"pending"`
	Chains      int              `json:"chains"`
	Checkpoints int64            `json:"checkpoints"`
	UnknownKeys int64            `json:"checkpoints_of_unknown_keys"`
	KeysGiven   bool             `json:"keys_given"`
	Trusted     bool             `json:"trusted_checkpoint_given"`
	TreeOnly    bool             `json:"tree_only,omitempty"` // the records themselves were not read
	Bridged     int64            `json:"bridged"`
	Statements  int64            `json:"statements"`
	Followed    int              `json:"handovers_followed"`
	Signed      int64            `json:"chains_signed_by_device,omitempty"`
	Claimed     int64            `json:"records_claimed_beyond,omitempty"`
	Bundle      *bundle.Manifest `json:"bundle,omitempty"`
	Broken      *brokenJSON      `json:"broken,omitempty"`
}

// brokenJSON is the first thing that is wrong. Without record, no single one is to blame.
type brokenJSON struct {
	Record   *int64 `json:"record,omitempty"`
	Position *int64 `json:"position,omitempty"`
	What     string `json:"what"`
}

func (c *verifyCommand) writeJSON(out io.Writer, p verified, broken *audit.LedgerBroken) error {
	answer := verifyJSON{Proven: broken == nil, Origin: p.Checkpoint.Origin, Records: p.Checkpoint.Size, Root: p.Checkpoint.Root[:], Pending: p.Pending,
		Chains: p.Chains, Checkpoints: p.Checkpoints, UnknownKeys: p.Unknown, KeysGiven: c.Key != "", Trusted: c.Trusted != "",
		TreeOnly: p.tree, Bridged: p.Bridged, Statements: p.Statements, Followed: p.followed, Signed: p.signed,
		Claimed: p.claimed, Bundle: p.bundle}
	if broken != nil {
		answer.Broken = &brokenJSON{What: broken.What}
		if broken.Index != 0 {
			answer.Broken.Record = &broken.Index
		}
		if broken.Position >= 0 {
			answer.Broken.Position = &broken.Position
		}
	}
	return json.NewEncoder(out).Encode(answer)
}
