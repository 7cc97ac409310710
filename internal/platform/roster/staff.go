package roster

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stead/internal/stead"

	"stead/internal/platform/store"
)

var staffColumns = columns{
	required: []string{"id", "name", "email", "role", "subject"},
	optional: []string{"tier", "privilege", "disabled", "scope_all", "scope_accounts", "scope_branches"},
}

// staffRow is somebody who works here as the file has them.
type staffRow struct {
	row
	stead.Staff
	subject string
}

// Staff inserts or replaces the staff of a file in one transaction. issuer is the identity provider that the subjects are
// of. If any row is bad, nothing is changed: the error is stead.CodeImportInvalid and every problem is listed, in the
// order of the lines.
func Staff(ctx context.Context, s store.Store, issuer string, format Format, file []byte) (Counts, []Problem, error) {
	table, bad := read(format, file, staffColumns)
	rows, subjects := make([]*staffRow, 0, len(table)), map[string]int{}
	for _, t := range table {
		r := parseStaff(cells{t, &bad})
		if earlier, twice := subjects[r.subject]; twice && r.subject != "" {
			bad.add(r.line, "subject: %q is on line %d already", r.subject, earlier)
		} else {
			subjects[r.subject] = r.line
		}
		rows = append(rows, r)
	}
	if err := bad.refusal(); err != nil {
		return Counts{}, bad, err
	}
	var done Counts
	err := s.Update(ctx, func(tx store.Tx) error {
		for _, r := range rows {
			if err := r.put(tx, issuer, &done, &bad); err != nil {
				return fmt.Errorf("staff %s: %w", r.ID, err)
			}
		}
		return bad.refusal()
	})
	if err != nil {
		return Counts{}, bad, err
	}
	return done, nil, nil
}

func parseStaff(c cells) *staffRow {
	r := &staffRow{row: c.row, subject: c.text("subject", 1, maxSubject)}
	r.Staff = stead.Staff{
		ID: stead.StaffID(c.id("id", false)), Name: c.text("name", 1, maxName), Email: c.email(),
		Role: stead.Role(c.cells["role"]), Tier: c.tier(), Privilege: c.flag("privilege"), Disabled: c.flag("disabled"),
		Scope: stead.Scope{All: c.flag("scope_all")},
	}
	if !slices.Contains(stead.Roles(), r.Role) {
		c.wrong("role", "%q is none of support, lead, auditor, superadmin", r.Role)
	}
	for _, id := range c.ids("scope_accounts") {
		r.Scope.Accounts = append(r.Scope.Accounts, stead.AccountID(id))
	}
	for _, id := range c.ids("scope_branches") {
		r.Scope.Branches = append(r.Scope.Branches, stead.BranchID(id))
	}
	return r
}

func (r *staffRow) put(tx store.Tx, issuer string, done *Counts, bad *problems) error {
	holder, err := tx.StaffBySubject(issuer, r.subject)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err == nil && holder.ID != r.ID {
		bad.add(r.line, "subject: %q already signs in as %q", r.subject, holder.ID)
		return nil
	}
	same := err == nil
	old, err := tx.Staff(r.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		done.New++
		r.Pseudonym = stead.NewPseudonym()
	case err != nil:
		return err
	default:
		if gone, err := staysErased(tx, r.line, old.Pseudonym, bad); gone || err != nil {
			return err
		}
		r.keep(old)
		if same && equal(r.Staff, old) {
			done.Unchanged++
			return nil
		}
		done.Changed++
	}
	return tx.PutStaff(r.Staff, issuer, r.subject)
}

// keep keeps of who the person was what the file does not say.
func (r *staffRow) keep(old stead.Staff) {
	r.Pseudonym = old.Pseudonym
	if !r.has("tier") {
		r.Tier = old.Tier
	}
	if !r.has("privilege") {
		r.Privilege = old.Privilege
	}
	if !r.has("disabled") {
		r.Disabled = old.Disabled
	}
	if !r.has("scope_all") {
		r.Scope.All = old.Scope.All
	}
	if !r.has("scope_accounts") {
		r.Scope.Accounts = old.Scope.Accounts
	}
	if !r.has("scope_branches") {
		r.Scope.Branches = old.Scope.Branches
	}
}

func equal(a, b stead.Staff) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Email == b.Email && a.Role == b.Role && a.Tier == b.Tier &&
		a.Privilege == b.Privilege && a.Disabled == b.Disabled && a.Pseudonym == b.Pseudonym && a.Scope.All == b.Scope.All &&
		slices.Equal(a.Scope.Accounts, b.Scope.Accounts) && slices.Equal(a.Scope.Branches, b.Scope.Branches)
}
