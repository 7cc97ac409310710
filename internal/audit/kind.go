package audit

// Kind says what a record is about. The list is closed: a record of another kind is not valid.
type Kind string

// What devices write.
const (
	SessionIntent      Kind = "session.intent"       // a start is about to be asked for
	SessionOutcome     Kind = "session.outcome"      // what came of an intent; Ref names it
	SessionObservedEnd Kind = "session.observed_end" // what the device saw of an end; the platform's record decides
	SessionObserved    Kind = "session.observed"     // what the session's browser asked of the member app; see Observed
	DeviceRecovery     Kind = "device.recovery"      // the first of an epoch that follows a damaged one
)

// What the platform writes.
const (
	SessionStarted  Kind = "session.started"
	SessionOpened   Kind = "session.opened"
	SessionEnded    Kind = "session.ended"
	SessionRefused  Kind = "session.refused"
	SessionAction   Kind = "session.action"
	HandoffReused   Kind = "handoff.reused" // an alarm: a one-time code or page of the fallback was used a second time
	MemberSearched  Kind = "member.searched"
	MemberViewed    Kind = "member.viewed"
	IdentityChecked Kind = "identity.checked"
	NoteWritten     Kind = "note.written"
	EnrolmentIssued Kind = "enrolment.issued" // a code with which one device may enrol
	DeviceEnrolled  Kind = "device.enrolled"
	StaffClaimed    Kind = "staff.claimed"

	ChainBridged   Kind = "chain.bridged"   // records of a device that the log does not hold, and why its chain goes on behind them
	DeviceAlarm    Kind = "device.alarm"    // what a device says of its chain contradicts what the platform holds
	DeviceRevoked  Kind = "device.revoked"  // lost, stolen or given back; what it wrote comes in as late and untrusted
	LedgerKey      Kind = "ledger.key"      // the log is signed with another key from here on
	LedgerRestored Kind = "ledger.restored" // the platform was set back to a backup; names what was lost
	TextsErased    Kind = "texts.erased"    // a person's key was destroyed: on request, or because its time was over
	HoldPlaced     Kind = "hold.placed"     // a legal hold: nothing of the person is erased
	HoldReleased   Kind = "hold.released"

	SessionMismatch Kind = "session.mismatch" // the member app reported what the session's browser did not show, or it showed nothing
)

// Kinds lists every kind, the devices' first.
func Kinds() []Kind {
	return []Kind{SessionIntent, SessionOutcome, SessionObservedEnd, SessionObserved, DeviceRecovery,
		SessionStarted, SessionOpened, SessionEnded, SessionRefused, SessionAction, HandoffReused, MemberSearched, MemberViewed,
		IdentityChecked, NoteWritten, EnrolmentIssued, DeviceEnrolled, StaffClaimed, ChainBridged, DeviceAlarm, DeviceRevoked,
		LedgerKey, LedgerRestored, TextsErased, HoldPlaced, HoldReleased, SessionMismatch}
}

// FromDevice reports whether devices write this kind; the others are the platform's.
func (k Kind) FromDevice() bool {
	switch k {
	case SessionIntent, SessionOutcome, SessionObservedEnd, SessionObserved, DeviceRecovery:
		return true
	}
	return false
}

// kindsByName is Kinds to look up in.
var kindsByName = func() map[string]Kind {
	all := map[string]Kind{}
	for _, k := range Kinds() {
		all[string(k)] = k
	}
	return all
}()

// Known reports whether k is on the list.
func (k Kind) Known() bool { return k != "" && kindsByName[string(k)] == k }
