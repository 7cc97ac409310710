package app

// The shapes the window reads. Times are milliseconds since 1970 by this machine's clock, already corrected for the
// difference to the platform's; 0 means "not yet". No shape carries a credential.

// SignInView is what the window shows before work can begin.
type SignInView struct {
	// Phase is one of: starting, unreachable, signed_out, waiting (for the browser), setup (claim the first
	// superadmin), enrol (this device needs a code), ready, failed (this machine cannot work; see Problem).
	Phase    string       `json:"phase"`
	Platform string       `json:"platform"` // its address
	Version  string       `json:"version"`
	Me       *PersonView  `json:"me,omitempty"`
	Problem  *ProblemView `json:"problem,omitempty"`
}

// PersonView is the signed-in member of staff.
type PersonView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Email     string   `json:"email"`
	Role      string   `json:"role"` // support, lead, auditor, superadmin
	Tier      int      `json:"tier"`
	Privilege bool     `json:"privilege"`
	Actions   []string `json:"actions"` // find_members, impersonate, see_sessions, end_any, read_trail, enrol_devices, see_devices, revoke_device, erase, hold
}

// ProblemView is a refusal or failure for a person to read.
type ProblemView struct {
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
	Hint     string `json:"hint"`
}

// MemberView is a member in a list.
type MemberView struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Email       string `json:"email"`
	Phone       string `json:"phone"`
	Account     string `json:"account"`
	AccountName string `json:"accountName"`
	BranchName  string `json:"branchName"`
	Power       bool   `json:"power"`
	Disabled    bool   `json:"disabled"`
}

// MembersView is one page of members.
type MembersView struct {
	Items []MemberView `json:"items"`
	Next  string       `json:"next"` // cursor of the next page, "" on the last
}

// ProfileView is a member's profile page.
type ProfileView struct {
	Member            MemberView   `json:"member"`
	MayImpersonate    bool         `json:"mayImpersonate"`
	WhyNot            *ProblemView `json:"whyNot,omitempty"`
	IdentityCheckedAt int64        `json:"identityCheckedAt"`
	Notes             []NoteView   `json:"notes"`
}

// NoteView is a line in a member's notes.
type NoteView struct {
	At     int64  `json:"at"`
	Author string `json:"author"`
	Kind   string `json:"kind"` // reason or close_out
	Text   string `json:"text"`
}

// StartView is what the confirm dialog asks for.
type StartView struct {
	MemberID    string `json:"memberId"`
	Category    string `json:"category"` // troubleshooting, guidance, settings, reproduce, other, or "" with a ticket
	Reason      string `json:"reason"`
	Ticket      string `json:"ticket"`
	Consent     bool   `json:"consent"`
	ConsentHow  string `json:"consentHow"` // phone, chat, email, in_person
	NameChecked bool   `json:"nameChecked"`
	MailChecked bool   `json:"mailChecked"`
}

// LiveView is this machine's session as the window shows it.
type LiveView struct {
	// Phase is one of: none, starting, live, ending, ended.
	Phase       string       `json:"phase"`
	Step        string       `json:"step"` // while starting: record, browser, platform, open
	SessionID   string       `json:"sessionId"`
	MemberID    string       `json:"memberId"`
	MemberName  string       `json:"memberName"`
	MemberEmail string       `json:"memberEmail"`
	Account     string       `json:"account"`
	Scope       string       `json:"scope"`
	View        string       `json:"view"` // desktop, tablet, phone; empty where there is no choice
	EndsAt      int64        `json:"endsAt"`
	LostAt      int64        `json:"lostAt"` // when the platform will end it unless the connection returns; 0 while connected
	Cause       string       `json:"cause"`  // once ended
	Confirmed   bool         `json:"confirmed"`
	NoteOwed    bool         `json:"noteOwed"`
	Wiped       bool         `json:"wiped"`
	Unguarded   bool         `json:"unguarded"` // its browser is not controlled: no banner, no guard
	Problem     *ProblemView `json:"problem,omitempty"`
}

// SessionView is a session in a table.
type SessionView struct {
	ID          string `json:"id"`
	AgentID     string `json:"agentId"`
	AgentName   string `json:"agentName"`
	MemberID    string `json:"memberId"`
	MemberName  string `json:"memberName"`
	MemberEmail string `json:"memberEmail"`
	Account     string `json:"account"`
	State       string `json:"state"` // started, live, ended
	Category    string `json:"category"`
	Reason      string `json:"reason"`
	Ticket      string `json:"ticket"`
	StartedAt   int64  `json:"startedAt"`
	EndsAt      int64  `json:"endsAt"`
	EndedAt     int64  `json:"endedAt"`
	Cause       string `json:"cause"`
	EndedBy     string `json:"endedBy"`
	Note        string `json:"note"`
	NoteOwed    bool   `json:"noteOwed"`
	Mine        bool   `json:"mine"`
	MayEnd      bool   `json:"mayEnd"`
}

// SessionsView is one page of sessions.
type SessionsView struct {
	Items []SessionView `json:"items"`
	Next  string        `json:"next"`
}

// RecordView is one record of the trail.
type RecordView struct {
	Index     int64      `json:"index"`
	At        int64      `json:"at"`
	Source    string     `json:"source"` // platform or a device id
	Kind      string     `json:"kind"`
	SessionID string     `json:"sessionId"`
	Actor     string     `json:"actor"`
	Subject   string     `json:"subject"`
	Facts     []FactView `json:"facts"`
	Texts     string     `json:"texts"` // none, ok, erased, withheld, broken; empty from an older platform
	Leaf      string     `json:"leaf"`
}

// FactView is one fact or text of a record.
type FactView struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// RecordsView is one page of the trail.
type RecordsView struct {
	Items []RecordView `json:"items"`
	Next  string       `json:"next"`
}

// OutboxView is the state of the records that are still only on this machine.
type OutboxView struct {
	Pending      int          `json:"pending"`
	OldestAt     int64        `json:"oldestAt"`
	NextTryAt    int64        `json:"nextTryAt"`
	Acknowledged uint64       `json:"acknowledged"` // sequence up to which the platform has them
	Proven       uint64       `json:"proven"`       // sequence up to which a receipt proves that they are in the ledger
	Quarantined  int          `json:"quarantined"`  // records that the platform could not read; they are kept here
	Alarm        bool         `json:"alarm"`        // so many wait that somebody should look
	Problem      *ProblemView `json:"problem,omitempty"`
	Blocked      *ProblemView `json:"blocked,omitempty"` // why no session can be started from this machine

	Recovered *RecoveredView `json:"recovered,omitempty"`
}

// RecoveredView says what was saved when a damaged or missing outbox was set up anew.
type RecoveredView struct {
	Evidence string `json:"evidence"` // file that was kept, "" when the outbox was gone
	SHA256   string `json:"sha256"`
	Salvaged int    `json:"salvaged"`
	Missing  string `json:"missing"` // sequences that could not be read
}

// EnrolmentView is a fresh enrolment code for a lead to hand on.
type EnrolmentView struct {
	Code      string `json:"code"`
	ExpiresAt int64  `json:"expiresAt"`
}
