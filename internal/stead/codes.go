package stead

// Code is one of a closed list of reasons why something was refused or failed. Every edge (HTTP, window, command
// line) maps each of them, and a test holds the tables to this list.
type Code string

const (
	// Who is asking.
	CodeSignInRequired  Code = "sign_in_required"
	CodeNotStaff        Code = "not_staff"
	CodeStaffDisabled   Code = "staff_disabled"
	CodeRoleForbidden   Code = "role_forbidden"
	CodeAppUnauthorized Code = "app_unauthorized"
	CodeSignInFailed    Code = "sign_in_failed"

	// What Decide says.
	CodeChain          Code = "chain"
	CodeNoPrivilege    Code = "no_privilege"
	CodeMemberNotFound Code = "member_not_found"
	CodeSelf           Code = "self"
	CodePeer           Code = "peer"
	CodeMemberDisabled Code = "member_disabled"
	CodeNotesOwed      Code = "notes_owed"
	CodeReasonInvalid  Code = "reason_invalid"
	CodeTicketInvalid  Code = "ticket_invalid"
	CodeConsentMissing Code = "consent_missing"

	// A session and its start.
	CodeSessionNotFound     Code = "session_not_found"
	CodeSessionEnded        Code = "session_ended"
	CodeHandoffInvalid      Code = "handoff_invalid"
	CodeIntentMissing       Code = "intent_missing"
	CodeIntentMismatch      Code = "intent_mismatch"
	CodeIdempotencyConflict Code = "idempotency_conflict"
	CodeNoteInvalid         Code = "note_invalid"
	CodeDescriptorMismatch  Code = "descriptor_mismatch"

	// Devices and first use.
	CodeDeviceUnknown    Code = "device_unknown"
	CodeDeviceSignature  Code = "device_signature"
	CodeEnrolmentInvalid Code = "enrolment_invalid"
	CodeSetupInvalid     Code = "setup_invalid"
	CodeNotEnrolled      Code = "not_enrolled"

	// Records.
	CodeChainFork       Code = "chain_fork"
	CodeChainGap        Code = "chain_gap"
	CodeRecordInvalid   Code = "record_invalid"
	CodeOutboxDamaged   Code = "outbox_damaged"
	CodeOutboxWrite     Code = "outbox_write"
	CodeOutboxFull      Code = "outbox_full"
	CodeOutboxRecovered Code = "outbox_recovered"

	// Proof.
	CodeLedgerBroken     Code = "ledger_broken"
	CodeLedgerUnusable   Code = "ledger_unusable"
	CodeLogForked        Code = "log_forked"
	CodeLogWithheld      Code = "log_withheld"
	CodeStatementInvalid Code = "statement_invalid"
	CodeLegalHold        Code = "legal_hold"
	CodeSessionOpen      Code = "session_open"
	CodeStaffEnabled     Code = "staff_enabled"

	// Requests.
	CodeBadRequest       Code = "bad_request"
	CodeRouteNotFound    Code = "route_not_found"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeTooLarge         Code = "too_large"
	CodeInternal         Code = "internal"
	CodeUnreachable      Code = "platform_unreachable"
	CodeVersion          Code = "version_mismatch"

	// The machine.
	CodeKeyringMissing    Code = "keyring_missing"
	CodeKeyringSilent     Code = "keyring_silent"
	CodeBrowserMissing    Code = "browser_missing"
	CodeBrowserAsRoot     Code = "browser_as_root"
	CodeBrowserSilent     Code = "browser_silent"
	CodeBrowserPolicy     Code = "browser_policy"
	CodeBrowserOpenFailed Code = "browser_open_failed"
	CodeBrowserLeft       Code = "browser_left"
	CodeBrowserContested  Code = "browser_contested"
	CodePortTaken         Code = "port_taken"
	CodeDataReadOnly      Code = "data_read_only"
	CodeDataNewer         Code = "data_newer"
	CodeAlreadyRunning    Code = "already_running"
	CodeNoWindow          Code = "no_window"
	CodeConfigInvalid     Code = "config_invalid"
	CodeImportInvalid     Code = "import_invalid"
)

type wording struct{ sentence, hint string }

// wordings says for each code what happened and what the reader can do about it.
var wordings = map[Code]wording{
	CodeSignInRequired:  {"You are not signed in, or your sign-in has expired.", "Sign in again."},
	CodeNotStaff:        {"Your sign-in is valid, but you are not on this platform's staff list.", "Ask a superadmin to add you."},
	CodeStaffDisabled:   {"Your staff account is disabled.", "Ask your team lead."},
	CodeRoleForbidden:   {"Your role does not allow this.", "Ask your team lead to do it, or to change your role."},
	CodeAppUnauthorized: {"The member app did not prove who it is.", "Check the app's id and secret in its configuration."},
	CodeSignInFailed:    {"The sign-in did not complete.", "Start the sign-in again; if it keeps failing, tell IT what the detail says."},

	CodeChain:          {"A session cannot be started from inside another session.", "Start it from your own Stead window."},
	CodeNoPrivilege:    {"You do not have the impersonation privilege.", "Ask your team lead to grant it."},
	CodeMemberNotFound: {"There is no such member among those you look after.", "Check the name, or ask a lead whether the member belongs to another team."},
	CodeSelf:           {"This is your own member account.", "Open it yourself, without Stead."},
	CodePeer:           {"This member also works here, and staff are never impersonated, whatever their tier.", "Ask the person to show you their screen."},
	CodeMemberDisabled: {"This member's account is disabled.", "Enable the account first, or work from the profile."},
	CodeNotesOwed:      {"You still owe the notes of earlier sessions.", "Write the owed notes; then start again."},
	CodeReasonInvalid:  {"The reason is too short, too long or has no category.", "Choose a category and write at least fifteen characters with three different words, or give a ticket."},
	CodeTicketInvalid:  {"The ticket does not look like a ticket.", "Write it like SUP-4711."},
	CodeConsentMissing: {"The member's consent is not recorded.", "Ask the member, then say how they agreed."},

	CodeSessionNotFound:     {"There is no such session.", "Reload the list of sessions."},
	CodeSessionEnded:        {"This session has ended.", "Start a new one if the member still needs help."},
	CodeHandoffInvalid:      {"The session was not opened in time, or its code was already used.", "Start the session again."},
	CodeIntentMissing:       {"The platform has not received this start's intent record.", "Wait until the outbox is drained; then start again."},
	CodeIntentMismatch:      {"The intent record does not match what was asked.", "Start again; if it happens twice, tell IT: the outbox may be damaged."},
	CodeIdempotencyConflict: {"The same request key was used for a different request.", "Start again."},
	CodeNoteInvalid:         {"The note is empty or too long.", "Write between 1 and 2,000 characters."},
	CodeDescriptorMismatch:  {"The platform's answer does not match what was asked, so the session was not opened.", "Tell IT: this should never happen."},

	CodeDeviceUnknown:    {"This device is not enrolled, or its enrolment was withdrawn.", "Ask a lead for an enrolment code."},
	CodeDeviceSignature:  {"The request was not signed by the enrolled device.", "Enrol this device again."},
	CodeEnrolmentInvalid: {"The enrolment code is wrong, used or expired.", "Ask a lead for a new code."},
	CodeSetupInvalid:     {"The first-superadmin code is wrong or was already used.", "Look at what the platform printed at its first start."},
	CodeNotEnrolled:      {"This device is not enrolled yet.", "Enter the enrolment code you got from your lead or IT."},

	CodeChainFork:       {"Two different records claim the same place in this device's trail.", "Stop working with this device and tell IT: its data may have been rolled back or copied."},
	CodeChainGap:        {"Records before this one have not arrived.", "Stead sends them again by itself; wait a moment."},
	CodeRecordInvalid:   {"A record could not be verified.", "Tell IT: the outbox may be damaged."},
	CodeOutboxDamaged:   {"The outbox on this machine is damaged; nothing was deleted.", "Tell IT to keep the file as evidence and to look at it."},
	CodeOutboxWrite:     {"The record could not be written to this machine's disk, so nothing was started.", "Free some disk space or check the folder's rights; then try again."},
	CodeOutboxFull:      {"This machine holds too many records that the platform has not taken, or its disk is almost full, so nothing is started.", "Connect to the platform and wait until they are sent, or free some disk space."},
	CodeOutboxRecovered: {"The outbox on this machine was damaged and has been set up anew; the platform has not confirmed that yet.", "Connect to the platform and wait a moment. The damaged file was kept; tell IT."},

	CodeLedgerBroken:     {"The ledger is not what was signed.", "Keep the data as it is, as evidence, and compare it with the last good copy and its checkpoint."},
	CodeLedgerUnusable:   {"There is nothing here that could be verified.", "Give the platform's data folder or its platform.db, and readable key and checkpoint files."},
	CodeLogForked:        {"The platform's ledger contradicts what it showed this machine before, so nothing is started.", "Tell IT at once: its history was changed, or it was set back to a backup and that was not declared."},
	CodeLogWithheld:      {"The platform took records from this machine, and its ledger does not show them.", "Tell IT: the ledger stands still, or leaves records out. After twenty minutes no session is started from here until they are in it."},
	CodeStatementInvalid: {"The statement is not signed by enough of the people who may sign it, or does not fit this ledger.", "Check which keys signed it and which ledger it names; two recovery keys are needed."},
	CodeLegalHold:        {"A legal hold keeps this person's records from being erased.", "Ask whoever placed the hold to release it first."},
	CodeSessionOpen:      {"A session with this person is open.", "End it first; then try again."},
	CodeStaffEnabled:     {"This person still works here.", "Disable their staff account first; then try again."},

	CodeBadRequest:       {"The request is not valid.", "Check the input; the detail says which part."},
	CodeRouteNotFound:    {"There is nothing at this address.", "Check the platform's address in the configuration."},
	CodeMethodNotAllowed: {"This address does not take that method.", "Check that desktop and platform have matching versions."},
	CodeTooLarge:         {"The request is too large.", "Send less at once."},
	CodeInternal:         {"Something went wrong on our side.", "Try again; if it stays, tell IT the time and what you did."},
	CodeUnreachable:      {"The platform cannot be reached.", "Check the network or VPN; Stead keeps trying."},
	CodeVersion:          {"The platform speaks another version.", "Update Stead, or ask IT to update the platform."},

	CodeKeyringMissing:    {"This machine's keyring cannot be used, so the device key has no safe place.", "Start the keyring service (on Linux: GNOME Keyring or KWallet) and sign in to the desktop; then start Stead again."},
	CodeKeyringSilent:     {"The keyring did not answer.", "Unlock it; a prompt may be waiting behind another window."},
	CodeBrowserMissing:    {"No usable browser was found.", "Install Chromium or Google Chrome as a system package (not snap or flatpak)."},
	CodeBrowserAsRoot:     {"Stead does not run a browser as root, because its sandbox would be off.", "Start Stead as an ordinary user."},
	CodeBrowserSilent:     {"The browser did not answer in time.", "Try again; if it stays, restart the machine or tell IT."},
	CodeBrowserPolicy:     {"A policy of this machine forbids Stead to control the browser.", "Ask IT to change the policy that the detail names; stead doctor shows all of them."},
	CodeBrowserOpenFailed: {"The member app could not be opened in the browser.", "Check that the member app is up; then start again."},
	CodeBrowserLeft:       {"Files of a closed session could not be removed.", "Close programs that may use them and start Stead again; it removes them at start."},
	CodeBrowserContested:  {"Something else on this machine reached for the session's one-time page, so the session was not allowed to go on.", "Start again. If it happens again, tell IT: a program here reads what other programs are started with."},
	CodePortTaken:         {"The network port is already in use.", "End the program that uses it, or choose another port."},
	CodeDataReadOnly:      {"The data folder cannot be written.", "Check the folder's owner and rights."},
	CodeDataNewer:         {"The data folder was written by a newer version of Stead.", "Start the newer version; this one leaves the data as it is."},
	CodeAlreadyRunning:    {"Stead is already running with this data folder.", "Use the one that is open, or end it first."},
	CodeNoWindow:          {"This build of Stead has no window, or there is no display.", "Start the desktop build in a desktop session; the server commands work without one."},
	CodeConfigInvalid:     {"The configuration is not usable.", "Correct what is named there; then start again."},
	CodeImportInvalid:     {"The file has rows that cannot be imported; nothing was changed.", "Correct the lines named above and import again."},
}

// Codes lists every code there is.
func Codes() []Code {
	all := make([]Code, 0, len(wordings))
	for c := range wordings {
		all = append(all, c)
	}
	return all
}

// Known reports whether c is on the list.
func (c Code) Known() bool { _, ok := wordings[c]; return ok }

// Sentence says what happened, in words a person can act on. An unknown code reads like an internal error.
func (c Code) Sentence() string {
	if w, ok := wordings[c]; ok {
		return w.sentence
	}
	return wordings[CodeInternal].sentence
}

// Hint says what the reader can do about it.
func (c Code) Hint() string {
	if w, ok := wordings[c]; ok {
		return w.hint
	}
	return wordings[CodeInternal].hint
}
