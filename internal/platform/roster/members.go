package roster

import (
	"context"
	"errors"
	"fmt"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

var memberColumns = columns{
	required: []string{"id", "name", "email", "account", "account_name", "branch", "branch_name"},
	optional: []string{"phone", "level", "disabled", "staff", "language", "time_zone"},
}

// memberRow is a member as the file has them.
type memberRow struct {
	row
	stead.Member
	staff stead.StaffID

	old     stead.Member
	oldLink stead.StaffID
	isNew   bool
}

// Members inserts or replaces the members of a file, with their accounts and branches, in one transaction. If any row is
// bad, nothing is changed: the error is stead.CodeImportInvalid and every problem is listed, in the order of the lines.
func Members(ctx context.Context, s store.Store, format Format, file []byte) (Counts, []Problem, error) {
	table, bad := read(format, file, memberColumns)
	rows := make([]*memberRow, 0, len(table))
	for _, r := range table {
		rows = append(rows, parseMember(cells{r, &bad}))
	}
	places := placesOf(rows, &bad)
	if err := bad.refusal(); err != nil {
		return Counts{}, bad, err
	}
	var done Counts
	err := s.Update(ctx, func(tx store.Tx) error {
		for _, r := range rows { // before an account gets another name, which would look as if it had always had it
			if err := r.recall(tx, &bad); err != nil {
				return fmt.Errorf("member %s: %w", r.ID, err)
			}
		}
		if err := places.put(tx, &bad); err != nil {
			return err
		}
		if err := bad.refusal(); err != nil {
			return err
		}
		for _, r := range rows {
			if err := r.put(tx, &done); err != nil {
				return fmt.Errorf("member %s: %w", r.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return Counts{}, bad, err
	}
	return done, nil, nil
}

func parseMember(c cells) *memberRow {
	r := &memberRow{row: c.row, staff: stead.StaffID(c.id("staff", true))}
	r.Member = stead.Member{
		ID: stead.MemberID(c.id("id", false)), Name: c.text("name", 1, maxName), Email: c.email(),
		Phone: c.text("phone", 0, maxPhone), Language: c.language(), TimeZone: c.timeZone(),
		Account: stead.AccountID(c.id("account", false)), AccountName: c.text("account_name", 1, maxName),
		Branch: stead.BranchID(c.id("branch", false)), BranchName: c.text("branch_name", 1, maxName),
		Level: stead.LevelMember, Disabled: c.flag("disabled"),
	}
	switch v := stead.Level(c.cells["level"]); v {
	case stead.LevelMember, stead.LevelPower:
		r.Level = v
	case "":
	default:
		c.wrong("level", "%q is neither member nor power", v)
	}
	return r
}

// recall looks up who the member was, and keeps of it what the file does not say.
func (r *memberRow) recall(tx store.Tx, bad *problems) error {
	if r.staff != "" {
		if _, err := tx.Staff(r.staff); errors.Is(err, store.ErrNotFound) {
			bad.add(r.line, "staff: there is nobody with the id %q; import the staff first", r.staff)
		} else if err != nil {
			return err
		}
	}
	var err error
	if r.old, err = tx.Member(r.ID); errors.Is(err, store.ErrNotFound) {
		r.isNew, r.Pseudonym = true, stead.NewPseudonym()
		return nil
	} else if err != nil {
		return err
	}
	if r.oldLink, err = tx.MemberLink(r.ID); err != nil {
		return err
	}
	if gone, err := staysErased(tx, r.line, r.old.Pseudonym, bad); gone || err != nil {
		return err
	}
	r.Pseudonym = r.old.Pseudonym
	if !r.has("phone") {
		r.Phone = r.old.Phone
	}
	if !r.has("language") {
		r.Language = r.old.Language
	}
	if !r.has("time_zone") {
		r.TimeZone = r.old.TimeZone
	}
	if !r.has("level") {
		r.Level = r.old.Level
	}
	if !r.has("disabled") {
		r.Disabled = r.old.Disabled
	}
	if !r.has("staff") {
		r.staff = r.oldLink
	}
	return nil
}

func (r *memberRow) put(tx store.Tx, done *Counts) error {
	switch {
	case r.isNew:
		done.New++
	case r.Member == r.old && r.staff == r.oldLink:
		done.Unchanged++
		return nil
	default:
		done.Changed++
	}
	return tx.PutMember(r.Member, r.staff)
}

// places are the accounts and branches of a file, each as the first line that names it says.
type places struct {
	accounts map[stead.AccountID]*memberRow
	branches map[stead.BranchID]*memberRow
	inOrder  []*memberRow
}

// placesOf gathers them. A line that contradicts an earlier one is bad.
func placesOf(rows []*memberRow, bad *problems) places {
	p := places{accounts: map[stead.AccountID]*memberRow{}, branches: map[stead.BranchID]*memberRow{}, inOrder: rows}
	for _, r := range rows {
		if a, known := p.accounts[r.Account]; !known {
			p.accounts[r.Account] = r
		} else if a.AccountName != r.AccountName {
			bad.add(r.line, "account_name: account %q is %q here and %q on line %d", r.Account, r.AccountName, a.AccountName, a.line)
		}
		switch b, known := p.branches[r.Branch]; {
		case !known:
			p.branches[r.Branch] = r
		case b.Account != r.Account:
			bad.add(r.line, "branch: %q belongs to account %q here and to %q on line %d", r.Branch, r.Account, b.Account, b.line)
		case b.BranchName != r.BranchName:
			bad.add(r.line, "branch_name: branch %q is %q here and %q on line %d", r.Branch, r.BranchName, b.BranchName, b.line)
		}
	}
	return p
}

func (p places) put(tx store.Tx, bad *problems) error {
	for _, r := range p.inOrder {
		if p.accounts[r.Account] == r {
			if err := tx.PutAccount(r.Account, r.AccountName); err != nil {
				return fmt.Errorf("account %s: %w", r.Account, err)
			}
		}
		if p.branches[r.Branch] != r {
			continue
		}
		// The account exists by now, so what is missing are members who could follow the branch into it.
		if err := tx.PutBranch(r.Branch, r.Account, r.BranchName); errors.Is(err, store.ErrNotFound) {
			bad.add(r.line, "branch: %q has members in another account; give the branch of %q another id", r.Branch, r.Account)
		} else if err != nil {
			return fmt.Errorf("branch %s: %w", r.Branch, err)
		}
	}
	return nil
}
