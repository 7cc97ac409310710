package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"stead/internal/api"
	"stead/internal/desktop"
	"stead/internal/desktop/browser"
	"stead/internal/desktop/session"
	"stead/internal/stead"

	"stead/internal/platform/demodata"
)

// driveLimit bounds the whole headless run.
const driveLimit = 5 * time.Minute

// run is the headless run: it does what an agent, a lead and a member would do, through the parts that the window
// stands on, in a real browser, and stops at the first thing that is not as promised.
type run struct {
	*demo
	out    io.Writer
	folder string // for screenshots
	n      int    // steps done
	giveUp func() // ends the run

	desk    *desktop.Desk // the agent's
	lead    *desktop.Desk
	browser atomic.Pointer[browser.Browser]
	target  api.MemberRow
	first   stead.SessionID // the session whose trail is printed
}

// step is one line of the run.
type step struct {
	name string
	do   func(ctx context.Context) (detail string, err error)
}

// drive does the main job and prints one line a step.
func (d *demo) drive(ctx context.Context, out io.Writer, folder string) error {
	ctx, cancel := context.WithTimeout(ctx, driveLimit)
	defer cancel()
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", folder).Because(err)
	}
	r := &run{demo: d, out: out, folder: folder, giveUp: cancel}
	err := r.all(ctx)
	closing, stop := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer stop()
	for _, desk := range []*desktop.Desk{r.desk, r.lead} {
		if desk != nil {
			err = errors.Join(err, desk.Close(closing))
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(out, "%d steps, all as promised\n", r.n)
	}
	return err
}

func (r *run) all(ctx context.Context) error {
	for _, steps := range [][]step{r.comeIn(), r.find(), r.session(), r.afterwards(), r.otherEnds(), r.proof()} {
		for _, s := range steps {
			began := time.Now()
			detail, err := s.do(ctx)
			if err != nil {
				_, _ = fmt.Fprintf(r.out, "FAIL  %s: %v\n", s.name, err)
				return fmt.Errorf("headless run, %q: %w", s.name, err)
			}
			r.n++
			if _, err := fmt.Fprintf(r.out, "ok %2d  %-46s %5d ms  %s\n", r.n, s.name, time.Since(began).Milliseconds(), detail); err != nil {
				return err
			}
		}
	}
	return r.printTrail(ctx)
}

// open opens a desk of its own for one person.
func (r *run) open(ctx context.Context, who stead.StaffID) (*desktop.Desk, error) {
	d := r.demo.desk()
	desk, err := desktop.Open(ctx, desktop.Config{PlatformURL: d.PlatformURL, DataDir: d.DataDir + "-" + string(who), CacheDir: d.CacheDir,
		Keyring: d.Keyring + "-" + string(who), DeviceName: "headless demo", EnrolmentCode: d.EnrolmentCode, Log: slog.Default(),
		OpenBrowser: func(url string) error { return choosePerson(ctx, url, who) },
		OnBrowser:   func(b *browser.Browser) { r.browser.Store(b) }, OnHangUp: r.giveUp})
	if err != nil {
		return nil, err
	}
	stage, me, err := desk.Begin(ctx)
	if err == nil && (stage != desktop.StageReady || me.ID != string(who)) {
		err = fmt.Errorf("signed in, but the stage is %q", stage)
	}
	if err != nil {
		return nil, errors.Join(err, desk.Close(ctx))
	}
	return desk, nil
}

func (r *run) comeIn() []step {
	return []step{
		{"the platform answers", func(ctx context.Context) (string, error) {
			v, err := getJSON[api.Version](ctx, r.platformURL+"/v1/version")
			return fmt.Sprintf("%d members generated, sign-in at %s", demodata.DefaultMembers, v.Issuer), err
		}},
		{"an agent signs in and enrols the device", func(ctx context.Context) (_ string, err error) {
			if r.desk, err = r.open(ctx, "st-lena"); err != nil {
				return "", err
			}
			me, _ := r.desk.Me()
			return fmt.Sprintf("%s, %s tier %d; OIDC code + PKCE, key in the OS keyring", me.Name, me.Role, me.Tier), nil
		}},
		{"a lead signs in", func(ctx context.Context) (_ string, err error) {
			if r.lead, err = r.open(ctx, "st-priya"); err != nil {
				return "", err
			}
			me, _ := r.lead.Me()
			return me.Name, nil
		}},
	}
}

func (r *run) find() []step {
	return []step{
		{"a colleague is found, and refused", func(ctx context.Context) (string, error) {
			page, err := r.desk.Client.Find(ctx, "tom fischer", "")
			if err != nil || len(page.Items) == 0 {
				return "", fmt.Errorf("colleague not found: %w", err)
			}
			p, err := r.desk.Client.Member(ctx, stead.MemberID(page.Items[0].ID))
			if err != nil || p.Impersonate.Allowed || p.Impersonate.Code == nil || *p.Impersonate.Code != api.ProblemCode(stead.CodePeer) {
				return "", fmt.Errorf("a colleague may be impersonated: %+v %w", p.Impersonate, err)
			}
			return *p.Impersonate.Sentence, nil
		}},
		{"the member is found as one types", func(ctx context.Context) (string, error) {
			why := "nobody was found"
			for _, q := range []string{"ma", "an", "jo", "li"} {
				page, err := r.desk.Client.Find(ctx, q, "")
				if err != nil {
					return "", err
				}
				for _, m := range page.Items {
					p, err := r.desk.Client.Member(ctx, stead.MemberID(m.ID))
					if err != nil {
						return "", err
					}
					if p.Impersonate.Allowed {
						r.target = m
						return fmt.Sprintf("%q finds %s <%s>, %s", q, m.Name, m.Email, m.AccountName), nil
					}
					if p.Impersonate.Sentence != nil {
						why = *p.Impersonate.Sentence
					}
				}
			}
			return "", fmt.Errorf("nobody can be impersonated: %s --data with a new folder begins anew", why)
		}},
		{"name and e-mail are checked with the caller", func(ctx context.Context) (string, error) {
			if _, err := r.desk.Client.CheckIdentity(ctx, stead.MemberID(r.target.ID), true, true); err != nil {
				return "", err
			}
			p, err := r.desk.Client.Member(ctx, stead.MemberID(r.target.ID))
			if err == nil && p.IdentityCheckedAt == nil {
				err = errors.New("the check is not shown")
			}
			return "recorded", err
		}},
	}
}

// start starts a session for the member as the confirm dialog would.
func (r *run) start(ctx context.Context, m api.MemberRow) (session.State, error) {
	ctl, err := r.desk.Session()
	if err != nil {
		return session.State{}, err
	}
	p, err := r.desk.Client.Member(ctx, stead.MemberID(m.ID))
	if err != nil {
		return session.State{}, err
	}
	subject, err := stead.ParsePseudonym(p.Pseudonym)
	if err != nil {
		return session.State{}, err
	}
	return ctl.Start(ctx, session.Ask{Member: m, Subject: subject, NameMatch: true, MailMatch: true, Ticket: "SUP-4711",
		Reason:  stead.Reason{Category: stead.CategoryTroubleshooting, Text: "cannot find a provider near her new zip code"},
		Consent: stead.Consent{Attested: true, How: stead.ConsentPhone, At: time.Now()}})
}

// shoot saves a screenshot of the session's browser.
func (r *run) shoot(ctx context.Context, name string) (string, error) {
	b, err := r.hand()
	if err != nil {
		return "", err
	}
	png, err := b.Capture(ctx)
	if err != nil {
		return "", err
	}
	file := filepath.Join(r.folder, name+".png")
	return filepath.Base(file), os.WriteFile(file, png, 0o600)
}

func (r *run) hand() (*browser.Hand, error) {
	b := r.browser.Load()
	if b == nil {
		return nil, errors.New("no browser was launched that this run can drive; where a session opens in one that Stead cannot control, run the demo with its window")
	}
	return b.Hand(), nil
}
