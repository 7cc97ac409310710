package audit

// Intents counts the starts that devices were about to ask for by what the records say came of them. A device that was
// switched off or lost leaves some, so none of it breaks a proof; a platform that answered and left no record, and a
// device that keeps its outcomes to itself, show in nothing else.
type Intents struct {
	All    int64 // records of the kind SessionIntent
	Open   int64 // of these, neither the platform nor a device says what came of it
	Untold int64 // the platform answered, and no device says what came of it
}

const (
	answered byte = 1 << iota // by a record of the platform
	told                      // by one of a device
)

// answers follows which intents are answered, and which sessions devices speak of that were never started.
type answers struct {
	intents map[[16]byte]byte // by event id, those that lack an answer of the one or the other
	started map[[16]byte]bool
	all     int64
	strange int64
}

func newAnswers() answers {
	return answers{intents: map[[16]byte]byte{}, started: map[[16]byte]bool{}}
}

// take is given each record by place: an answer stands behind its intent, and what devices say of a session behind its
// start.
func (a *answers) take(f *finding) {
	switch f.kind {
	case SessionIntent:
		a.all++
		a.intents[f.event] = 0
	case SessionStarted:
		a.started[f.session] = true
		a.answer(f, answered)
	case SessionRefused:
		a.answer(f, answered)
	case SessionOutcome, SessionObservedEnd:
		a.answer(f, told)
	}
	if f.kind.FromDevice() && f.session != [16]byte{} && !a.started[f.session] {
		a.strange++
	}
}

func (a *answers) answer(f *finding, by byte) {
	have, known := a.intents[f.ref]
	switch {
	case !known:
	case have|by == answered|told:
		delete(a.intents, f.ref)
	default:
		a.intents[f.ref] = have | by
	}
}

// count is asked after the last record.
func (a *answers) count() (i Intents, strange int64) {
	i.All = a.all
	for _, have := range a.intents {
		switch have {
		case 0:
			i.Open++
		case answered:
			i.Untold++
		}
	}
	return i, a.strange
}
