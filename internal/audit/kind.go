package audit

// Kind says what a record is about. The list is closed: a record of another kind is not valid.
type Kind string

// What devices write.
const (
	SessionIntent      Kind = "session.intent"       // a start is about to be asked for
	SessionOutcome     Kind = "session.outcome"      // what came of an intent; Ref names it
	SessionObservedEnd Kind = "session.observed_end" // what the device saw of an end; the platform's record decides
	DeviceRecovery     Kind = "device.recovery"      // the first of an epoch that follows a damaged one
)

// What the platform writes.
const (
	SessionStarted  Kind = "session.started"
	SessionOpened   Kind = "session.opened"
	SessionEnded    Kind = "session.ended"
	SessionRefused  Kind = "session.refused"
	SessionAction   Kind = "session.action"
	MemberSearched  Kind = "member.searched"
	MemberViewed    Kind = "member.viewed"
	IdentityChecked Kind = "identity.checked"
	NoteWritten     Kind = "note.written"
	EnrolmentIssued Kind = "enrolment.issued" // a code with which one device may enrol
	DeviceEnrolled  Kind = "device.enrolled"
	StaffClaimed    Kind = "staff.claimed"
)

// Kinds lists every kind, the devices' first.
func Kinds() []Kind {
	return []Kind{SessionIntent, SessionOutcome, SessionObservedEnd, DeviceRecovery,
		SessionStarted, SessionOpened, SessionEnded, SessionRefused, SessionAction, MemberSearched, MemberViewed,
		IdentityChecked, NoteWritten, EnrolmentIssued, DeviceEnrolled, StaffClaimed}
}

// FromDevice reports whether devices write this kind; the others are the platform's.
func (k Kind) FromDevice() bool {
	switch k {
	case SessionIntent, SessionOutcome, SessionObservedEnd, DeviceRecovery:
		return true
	}
	return false
}

// Known reports whether k is on the list.
func (k Kind) Known() bool {
	for _, known := range Kinds() {
		if k == known {
			return true
		}
	}
	return false
}
