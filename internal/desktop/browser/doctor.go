package browser

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"stead/internal/stead"
)

// The names of the checks.
const (
	checkUser     = "browser.user"
	checkFound    = "browser.found"
	checkFallback = "browser.fallback"
	checkPolicy   = "browser.policy"
	checkTry      = "browser.try"
)

// Examine looks at this machine as Launch would see it, without starting a session's browser: the list of Find, and
// what it means. A browser whose version no file tells is asked for it.
func Examine(ctx context.Context, choice Choice) ([]Installed, []stead.Check) {
	m := thisMachine()
	found, err := m.find(ctx, choice)
	for i := range found {
		if f := &found[i]; f.Version == "" && f.Confinement == "" && m.system == "linux" {
			out, err := m.run(ctx, f.Path, "--version")
			if err == nil { // one that does not even tell its version is found out by trying it
				f.Version = versionPattern.FindString(string(out))
			}
		}
	}
	return found, append([]stead.Check{userCheck(mayLaunch())}, checks(found, err)...)
}

func userCheck(err error) stead.Check {
	if err != nil {
		return failedCheck(checkUser, whyUser, err)
	}
	return stead.Check{Name: checkUser, State: stead.CheckOK, What: "This user and system can run a session's browser.", Why: whyUser}
}

const (
	whyUser     = "A browser protects itself from the pages it shows, but not for every user and on every system."
	whyFound    = "A session runs in a browser of its own, which Stead starts, controls and wipes."
	whyFallback = "Such a browser has no guard and no banner of Stead's; the member app's own bar says whose account it is."
	whyPolicy   = "Managed policies are stronger than anything Stead asks of a browser."
	whyTry      = "Only a browser that was started shows that it obeys."
)

// checks says what a list of browsers means for sessions.
func checks(found []Installed, err error) []stead.Check {
	var all []stead.Check
	obedient, page := false, ""
	for _, f := range found {
		obedient = obedient || f.Usable() && len(forbidding(f.Policies)) == 0
		if page == "" && f.mayOpenAPage() {
			page = f.Path
		}
	}
	if err != nil {
		all = append(all, failedCheck(checkFound, whyFound, err))
	} else {
		first, words := found[0], "Sessions use %s (%s %s)."
		if !obedient {
			words = "Sessions would use %s (%s %s), which a policy seems to forbid."
		}
		all = append(all, stead.Check{Name: checkFound, State: stead.CheckOK, Why: whyFound,
			What: fmt.Sprintf(words, first.Path, first.Kind, cmp.Or(first.Version, "of unknown version"))})
	}
	if !obedient && page != "" {
		all = append(all, stead.Check{Name: checkFallback, State: stead.CheckWarning, Why: whyFallback,
			What: "Sessions could open in " + page + " by a one-time page, if the platform allows that.",
			Do:   "Where no other browser can be had, ask whoever runs the platform about browser_fallback."})
	}
	for _, f := range found {
		for _, p := range f.Policies {
			if p.Effect == Harmless {
				continue
			}
			c := stead.Check{Name: checkPolicy, State: stead.CheckWarning, Why: whyPolicy, What: f.Path + ": " + p.Name + "=" + p.Value + " in " + p.Source + ": " + p.Means + ".", Do: sentence(p.Do)}
			if p.Name == "" {
				c.What = f.Path + ": " + p.Source + ": " + p.Means + "."
			}
			if p.Effect == Forbids && !obedient {
				c.State = stead.CheckFailed // there is nothing else that could be used
			}
			all = append(all, c)
		}
	}
	return all
}

// sentence makes one of what IT has to change, which elsewhere stands inside another.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	return strings.ToUpper(words[:1]) + words[1:] + "."
}

func failedCheck(name, why string, err error) stead.Check {
	c := stead.Check{Name: name, State: stead.CheckFailed, What: err.Error(), Why: why}
	var e *stead.Error
	if errors.As(err, &e) {
		c.What, c.Do = e.Sentence(), e.Code.Hint()
	}
	return c
}

// Named reports whether a person who says name means this browser: its kind or its path.
func (i Installed) Named(name string) bool { return i.is(name, runtime.GOOS) }

// Try launches one browser without a session, proves it exactly as Launch does, ends it and wipes its folder. It
// tells each step as it is taken. What went wrong is in the check; nothing is left, or the check says what.
func (r *Root) Try(ctx context.Context, with Installed, tell func(step string)) stead.Check {
	if err := mayLaunch(); err != nil {
		return failedCheck(checkTry, whyTry, err)
	}
	tell("starting " + with.Path)
	begin := time.Now()
	b, err := r.launch(ctx, "doctor-"+rand.Text(), with)
	if err != nil {
		return failedCheck(checkTry, whyTry, err)
	}
	started := time.Since(begin)
	tell("it answers on the pipe, uses the session's folder and has made the session's window")
	tell("ending and wiping it")
	dir := b.claim.dir
	wiped, err := b.Close(ctx)
	if _, statErr := os.Lstat(dir); err == nil && !errors.Is(statErr, os.ErrNotExist) {
		err = stead.Errorf(stead.CodeBrowserLeft, "%s", dir).Because(statErr)
	}
	if err != nil {
		return failedCheck(checkTry, whyTry, err)
	}
	tell("nothing is left of it")
	return stead.Check{Name: checkTry, State: stead.CheckOK, Why: whyTry, What: fmt.Sprintf("%s obeys: started and proved in %v, ended and wiped in %v.",
		with.Path, started.Round(10*time.Millisecond), wiped.Took.Round(10*time.Millisecond))}
}
