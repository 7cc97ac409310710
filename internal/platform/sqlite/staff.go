package sqlite

import (
	"stead/internal/platform/store"
	"stead/internal/stead"
)

const staffColumns = `s.id, s.name, s.email, s.role, s.tier, s.privilege, s.disabled,
	s.scope_all, s.scope_accounts, s.scope_branches, s.pseudonym`

func readStaff(row scanner) (s stead.Staff, err error) {
	err = row.Scan(&s.ID, &s.Name, &s.Email, &s.Role, &s.Tier, &s.Privilege, &s.Disabled, &s.Scope.All,
		list[stead.AccountID]{&s.Scope.Accounts}, list[stead.BranchID]{&s.Scope.Branches}, fixed(s.Pseudonym[:]))
	return s, err
}

// Staff implements store.StaffTx.
func (t *tx) Staff(id stead.StaffID) (stead.Staff, error) {
	return first(t, readStaff, "SELECT "+staffColumns+" FROM staff s WHERE s.id = ?", id)
}

// StaffBySubject implements store.StaffTx. Both parts are compared exactly, as OpenID Connect Core 5.7 asks.
func (t *tx) StaffBySubject(issuer, subject string) (stead.Staff, error) {
	if issuer == "" || subject == "" {
		return stead.Staff{}, store.ErrNotFound
	}
	return first(t, readStaff, "SELECT "+staffColumns+" FROM staff s WHERE s.issuer = ? AND s.subject = ?", issuer, subject)
}

// PutStaff implements store.StaffTx.
func (t *tx) PutStaff(s stead.Staff, issuer, subject string) error {
	if issuer == "" || subject == "" {
		issuer, subject = "", "" // half a name is none
	}
	_, err := t.exec(`INSERT INTO staff (id, name, email, email_key, role, tier, privilege, disabled,
			scope_all, scope_accounts, scope_branches, pseudonym, issuer, subject)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
		ON CONFLICT (id) DO UPDATE SET name = ?2, email = ?3, email_key = ?4, role = ?5, tier = ?6, privilege = ?7,
			disabled = ?8, scope_all = ?9, scope_accounts = ?10, scope_branches = ?11, pseudonym = ?12,
			issuer = ?13, subject = ?14`,
		s.ID, s.Name, s.Email, foldCase(s.Email), s.Role, s.Tier, s.Privilege, s.Disabled,
		s.Scope.All, list[stead.AccountID]{&s.Scope.Accounts}.text(), list[stead.BranchID]{&s.Scope.Branches}.text(),
		bytesOrNull(s.Pseudonym[:]), textOrNull(issuer), textOrNull(subject))
	return err
}

// CountStaff implements store.StaffTx.
func (t *tx) CountStaff() (int, error) { return t.count("SELECT count(*) FROM staff") }
