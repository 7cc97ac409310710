package cli

import (
	"fmt"
	"strings"
	"time"

	"stead/internal/audit"
)

// many counts things, of which the word takes an s.
func many(n int64, word string) string {
	if n != 1 {
		word += "s"
	}
	return grouped("%d %s", n, word)
}

// agree is many with the verb.
func agree(n int64, word string) string {
	if n == 1 {
		return many(n, word) + " agrees"
	}
	return many(n, word) + " agree"
}

// writeFound says what the records tell that is no breach and that an auditor asks about.
func writeFound(b *strings.Builder, p verified) {
	for _, s := range p.Stated {
		fmt.Fprintf(b, "  place %d: %s\n", s.Place, sayStated(s, len(p.people)))
	}
	if p.Bridged > 0 {
		fmt.Fprintf(b, "  of devices and not in the log: %s; records of the platform name them and say why\n", many(p.Bridged, "record"))
	}
	fmt.Fprintf(b, "  starts that devices were about to ask for: %d", p.Intents.All)
	if p.Intents.Open > 0 {
		fmt.Fprintf(b, "; of %d neither the platform nor the device says what came of it", p.Intents.Open)
	}
	if p.Intents.Untold > 0 {
		fmt.Fprintf(b, "; %d the platform answered, and the device did not say what came of it", p.Intents.Untold)
	}
	if p.Intents.Open+p.Intents.Untold == 0 && p.Intents.All > 0 {
		b.WriteString(", each with what came of it")
	}
	b.WriteString("\n")
	if p.Strange > 0 {
		fmt.Fprintf(b, "  of devices, about a session whose start is not in the log: %s. A restore explains them, or a start was kept out of the log\n", many(p.Strange, "record"))
	}
}

// sayStated is a statement about the log in words; people is how many recovery keys are known.
func sayStated(s audit.Stated, people int) string {
	var what string
	switch {
	case s.Restored != nil:
		r := s.Restored
		what = fmt.Sprintf("on %s people declared that the log was set back to %s; it had at least %d. Their reason: %s", r.At.Format(time.RFC3339), many(r.Kept.Size, "record"), r.Lost, r.Why)
	case s.Handover != nil && s.Compromised:
		what = fmt.Sprintf("on %s people replaced the log's key, as one in wrong hands, with %s", s.Handover.At.Format(time.RFC3339), s.Handover.Key)
	case s.Handover != nil:
		return fmt.Sprintf("on %s the log's key signed that this one follows it: %s", s.Handover.At.Format(time.RFC3339), s.Handover.Key)
	default:
		return "the log's key changed or the log was set back; the statement is not served here"
	}
	switch {
	case s.By != nil:
		return what + ". Signed by " + strings.Join(s.By, " and ")
	case people > 0:
		return what + ". NOT signed by two of the people whose keys were given"
	}
	return what + ". Who signed it only recovery keys in --key FILE show"
}

// intentsJSON is audit.Intents as --json prints it.
type intentsJSON struct {
	All    int64 `json:"all"`
	Open   int64 `json:"without_answer_and_outcome"`
	Untold int64 `json:"answered_without_outcome"`
}

// statedJSON is a statement about the log. The fields that do not fit its kind are absent.
type statedJSON struct {
	Place       int64    `json:"place"`
	Kind        string   `json:"kind"` // handover, restore, or unknown where the statement is not served
	At          string   `json:"at,omitempty"`
	Key         string   `json:"key,omitempty"`
	Compromised bool     `json:"compromised,omitempty"`
	Kept        *int64   `json:"kept,omitempty"`
	Lost        *int64   `json:"lost,omitempty"`
	Why         string   `json:"why,omitempty"`
	By          []string `json:"signed_by,omitempty"` // people whose recovery keys were given
}

func statedAsJSON(all []audit.Stated) []statedJSON {
	out := []statedJSON{}
	for _, s := range all {
		line := statedJSON{Place: s.Place, Kind: "unknown", Compromised: s.Compromised, By: s.By}
		if h := s.Handover; h != nil {
			line.Kind, line.At, line.Key = "handover", h.At.Format(time.RFC3339), h.Key
		}
		if r := s.Restored; r != nil {
			line.Kind, line.At, line.Kept, line.Lost, line.Why = "restore", r.At.Format(time.RFC3339), &r.Kept.Size, &r.Lost, r.Why
		}
		out = append(out, line)
	}
	return out
}
