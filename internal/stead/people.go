package stead

import "slices"

// Role is what a staff member is. One person has one role.
type Role string

const (
	RoleSupport    Role = "support"
	RoleLead       Role = "lead"
	RoleAuditor    Role = "auditor"
	RoleSuperadmin Role = "superadmin"
)

// Action is something a role may or may not do.
type Action string

const (
	ActionFindMembers  Action = "find_members"  // search and open profiles, inside one's scope
	ActionImpersonate  Action = "impersonate"   // needs the privilege as well
	ActionSeeSessions  Action = "see_sessions"  // everybody's, not only one's own
	ActionEndAny       Action = "end_any"       // end somebody else's session
	ActionReadTrail    Action = "read_trail"    // everybody's, not only one's own
	ActionEnrolDevices Action = "enrol_devices" // hand out enrolment codes
	ActionSeeDevices   Action = "see_devices"   // all enrolled devices and when they were last heard
	ActionRevokeDevice Action = "revoke_device" // lost, stolen or given back
	ActionErase        Action = "erase"         // erase a member, inside one's scope
	ActionHold         Action = "hold"          // place and release legal holds, inside one's scope
)

// roleActions is the one table role × action.
var roleActions = map[Role][]Action{
	RoleSupport: {ActionFindMembers, ActionImpersonate},
	RoleLead:    {ActionFindMembers, ActionImpersonate, ActionSeeSessions, ActionEndAny, ActionReadTrail, ActionEnrolDevices, ActionSeeDevices, ActionRevokeDevice},
	RoleAuditor: {ActionSeeSessions, ActionReadTrail, ActionSeeDevices},
	RoleSuperadmin: {ActionFindMembers, ActionImpersonate, ActionSeeSessions, ActionEndAny, ActionReadTrail, ActionEnrolDevices, ActionSeeDevices, ActionRevokeDevice,
		ActionErase, ActionHold},
}

// Roles lists every role, weakest first.
func Roles() []Role { return []Role{RoleAuditor, RoleSupport, RoleLead, RoleSuperadmin} }

// May reports whether the role allows the action. An unknown role may nothing.
func (r Role) May(a Action) bool { return slices.Contains(roleActions[r], a) }

// Scope says whose members a staff member works for: everybody's, or those of some accounts and branches.
type Scope struct {
	All      bool
	Accounts []AccountID
	Branches []BranchID
}

// Covers reports whether a member of that account and branch is inside the scope.
func (s Scope) Covers(a AccountID, b BranchID) bool {
	return s.All || slices.Contains(s.Accounts, a) || slices.Contains(s.Branches, b)
}

// Staff is somebody who works here.
type Staff struct {
	ID        StaffID
	Name      string
	Email     string
	Role      Role
	Tier      int  // support tier, 1 and up; 0 for roles without tiers
	Privilege bool // may impersonate at all
	Disabled  bool
	Scope     Scope
	Pseudonym Pseudonym
}

// Level is how much a member may do in the member app.
type Level string

const (
	LevelMember Level = "member"
	LevelPower  Level = "power"
)

// Member is somebody whose view of the platform may be seen.
type Member struct {
	ID          MemberID
	Account     AccountID
	AccountName string
	Branch      BranchID
	BranchName  string
	Name        string
	Email       string
	Phone       string
	Language    string // BCP 47, e.g. "de-CH"; "" when it is not known
	TimeZone    string // of the IANA database, e.g. "Europe/Zurich"; "" when it is not known
	Level       Level
	Disabled    bool
	Pseudonym   Pseudonym
}

// Actions lists every action of the table.
func Actions() []Action {
	return []Action{ActionFindMembers, ActionImpersonate, ActionSeeSessions, ActionEndAny, ActionReadTrail, ActionEnrolDevices,
		ActionSeeDevices, ActionRevokeDevice, ActionErase, ActionHold}
}
