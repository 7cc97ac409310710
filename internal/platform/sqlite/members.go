package sqlite

import (
	"errors"
	"slices"
	"strings"

	"stead/internal/platform/store"
	"stead/internal/stead"
)

const (
	memberColumns = `m.id, m.account, a.name, m.branch, b.name, m.name, m.email, m.phone, m.language, m.time_zone, m.level, m.disabled, m.pseudonym`
	memberJoins   = ` JOIN accounts a ON a.id = m.account LEFT JOIN branches b ON b.id = m.branch`
)

func readMember(row scanner) (m stead.Member, err error) {
	err = row.Scan(&m.ID, &m.Account, &m.AccountName, optional[stead.BranchID]{&m.Branch}, optional[string]{&m.BranchName},
		&m.Name, &m.Email, &m.Phone, &m.Language, &m.TimeZone, &m.Level, &m.Disabled, fixed(m.Pseudonym[:]))
	return m, err
}

// Member implements store.MemberTx.
func (t *tx) Member(id stead.MemberID) (stead.Member, error) {
	return first(t, readMember, "SELECT "+memberColumns+" FROM members m"+memberJoins+" WHERE m.id = ?", id)
}

// StaffOfMember implements store.MemberTx. The link goes before the address.
func (t *tx) StaffOfMember(id stead.MemberID) (stead.Staff, error) {
	s, err := first(t, readStaff, "SELECT "+staffColumns+" FROM members m JOIN staff s ON s.id = m.staff WHERE m.id = ?", id)
	if !errors.Is(err, store.ErrNotFound) {
		return s, err
	}
	var email string
	if err := t.one("SELECT email FROM members WHERE id = ?", []any{id}, &email); err != nil {
		return stead.Staff{}, err
	}
	key := foldCase(email)
	if key == "" {
		return stead.Staff{}, store.ErrNotFound
	}
	return first(t, readStaff, "SELECT "+staffColumns+" FROM staff s WHERE s.email_key = ? ORDER BY s.id LIMIT 1", key)
}

// MemberLink implements store.MemberTx.
func (t *tx) MemberLink(id stead.MemberID) (link stead.StaffID, err error) {
	err = t.one("SELECT coalesce(staff, '') FROM members WHERE id = ?", []any{id}, &link)
	return link, err
}

// PutAccount implements store.MemberTx.
func (t *tx) PutAccount(id stead.AccountID, name string) error {
	_, err := t.exec(`INSERT INTO accounts (id, name, id_key, name_key) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (id) DO UPDATE SET name = ?2, name_key = ?4`, id, name, fold(string(id)), nameForm(fold(name)))
	return err
}

// PutBranch implements store.MemberTx.
func (t *tx) PutBranch(id stead.BranchID, account stead.AccountID, name string) error {
	_, err := t.exec(`INSERT INTO branches (id, account, name) VALUES (?1, ?2, ?3)
		ON CONFLICT (id) DO UPDATE SET account = ?2, name = ?3`, id, account, name)
	return err
}

// PutMember implements store.MemberTx.
func (t *tx) PutMember(m stead.Member, staff stead.StaffID) error {
	old, err := first(t, readKeys, "SELECT seq, id_key, name_key, email_key, phone_digits FROM members WHERE id = ?", m.ID)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	k := keysOf(m)
	err = t.one(`INSERT INTO members (id, account, branch, name, email, phone, level, disabled, pseudonym, staff,
			id_key, name_key, email_key, phone_digits, language, time_zone)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
		ON CONFLICT (id) DO UPDATE SET account = ?2, branch = ?3, name = ?4, email = ?5, phone = ?6, level = ?7,
			disabled = ?8, pseudonym = ?9, staff = ?10, id_key = ?11, name_key = ?12, email_key = ?13, phone_digits = ?14,
			language = ?15, time_zone = ?16
		RETURNING seq`,
		[]any{m.ID, m.Account, textOrNull(string(m.Branch)), m.Name, m.Email, m.Phone, m.Level, m.Disabled,
			bytesOrNull(m.Pseudonym[:]), textOrNull(string(staff)), k.id, k.name, k.email, k.phone, m.Language, m.TimeZone}, &k.seq)
	if err != nil || known && k == old {
		return err
	}
	return t.index(old, k)
}

// CountMembers implements store.MemberTx.
func (t *tx) CountMembers() (int, error) { return t.count("SELECT count(*) FROM members") }

// keys are the folded texts by which a member is found.
type keys struct {
	seq                    int64
	id, name, email, phone string
}

func keysOf(m stead.Member) keys {
	return keys{id: fold(string(m.ID)), name: nameForm(fold(m.Name)), email: fold(m.Email), phone: phoneDigits(m.Phone)}
}

func readKeys(row scanner) (k keys, err error) {
	err = row.Scan(&k.seq, &k.id, &k.name, &k.email, &k.phone)
	return k, err
}

// terms are what a search can be the beginning of.
func (k keys) terms() []string {
	terms := append(strings.Fields(k.name), k.email, k.phone, k.id)
	slices.Sort(terms)
	return slices.DeleteFunc(slices.Compact(terms), func(s string) bool { return s == "" })
}

// text is what a search can be in the middle of. No word of a query contains a line feed, so none spans two fields.
func (k keys) text() string { return strings.Join([]string{k.name, k.email, k.phone, k.id}, "\n") }

// index brings the two search tables from the old keys, zero when there were none, to the new ones.
func (t *tx) index(old, k keys) error {
	if old.seq != 0 {
		gone := old.terms()
		_, err := t.exec("DELETE FROM member_terms WHERE member = ? AND term IN (SELECT value FROM json_each(?))",
			old.seq, list[string]{&gone}.text())
		if err != nil {
			return err
		}
	}
	come := k.terms()
	_, err := t.exec("INSERT INTO member_terms (term, member) SELECT value, ? FROM json_each(?)", k.seq, list[string]{&come}.text())
	if err != nil {
		return err
	}
	if old.seq != 0 {
		if _, err := t.exec("DELETE FROM member_text WHERE rowid = ?", old.seq); err != nil {
			return err
		}
	}
	_, err = t.exec("INSERT INTO member_text (rowid, text) VALUES (?, ?)", k.seq, k.text())
	return err
}
