package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"stead/internal/desktop"
	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/demodata"
	"stead/internal/platform/devidp"
	"stead/internal/platform/memberapp"
)

// demoCommand runs everything on one machine: platform, sign-in, member app, and the window.
type demoCommand struct {
	Headless     bool   `help:"No window: drive the whole main job and print one line a step."`
	Out          string `help:"Folder for the headless run's screenshots." type:"path" default:"stead-demo"`
	Data         string `help:"Folder the demo keeps its data in." type:"path"`
	Port         int    `help:"First of three network ports on this machine." default:"7321"`
	Fallback     bool   `help:"Allow sessions in a browser that Stead cannot control, where there is no other."`
	AllowChanges bool   `help:"Turn view-first off: sessions may change things from the start."`
}

// Run runs the demo until the window is closed, or the headless run is through.
func (c *demoCommand) Run(e *env) error {
	if c.Port < 1 || c.Port > 65533 {
		return stead.Errorf(stead.CodeConfigInvalid, "--port must be between 1 and 65533: it and the next two are used")
	}
	if c.Data == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return stead.Errorf(stead.CodeConfigInvalid, "this user has no home folder; use --data").Because(err)
		}
		c.Data = filepath.Join(base, "stead-demo")
	}
	d, err := openDemo(e.ctx, c)
	if err != nil {
		return err
	}
	d.announce(e.out)
	if c.Headless {
		err = d.drive(e.ctx, e.out, c.Out)
	} else {
		err = e.window(e.ctx, d.desk())
	}
	return errors.Join(err, d.Close())
}

// demo is the open demo: three servers on loopback.
type demo struct {
	dir         string
	platform    *platform.Platform
	portal      *memberapp.App
	platformURL string
	portalURL   string
	issuer      string
	people      []demodata.Person

	servers []*http.Server
	wg      sync.WaitGroup
}

const (
	demoClient = "stead-desktop"
	demoCookie = "__Host-stead"
	demoApp    = "portal"
)

func openDemo(ctx context.Context, c *demoCommand) (_ *demo, err error) {
	port := func(n int) string { return strconv.Itoa(c.Port + n) }
	d := &demo{dir: c.Data, people: demodata.Staff(),
		platformURL: "http://platform.localhost:" + port(0), portalURL: "http://portal.localhost:" + port(1), issuer: "http://127.0.0.1:" + port(2)}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return d, stead.Errorf(stead.CodeDataReadOnly, "%s", c.Data).Because(err)
	}
	var listeners []net.Listener
	for n := range 3 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port(n)))
		if err != nil {
			closeAll(listeners)
			return d, stead.Errorf(stead.CodePortTaken, "%s; stead demo --port chooses others", port(n)).Because(err)
		}
		listeners = append(listeners, l)
	}
	log, err := demoLog(c.Data)
	if err != nil {
		closeAll(listeners)
		return d, err
	}
	handlers, err := d.open(ctx, c, log)
	if err != nil {
		closeAll(listeners)
		return d, err
	}
	for n, h := range handlers {
		d.serve(listeners[n], h)
	}
	return d, nil
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		_ = l.Close()
	}
}

// demoLog writes the servers' log into the data folder, so that the terminal shows only what a person wants.
func demoLog(dir string) (*slog.Logger, error) {
	f, err := os.OpenFile(filepath.Join(dir, "demo.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, stead.Errorf(stead.CodeDataReadOnly, "%s", dir).Because(err)
	}
	log := slog.New(slog.NewTextHandler(f, nil)) // the file is the process's to close
	slog.SetDefault(log)
	return log, nil
}

// open makes the three handlers: platform, portal, sign-in.
func (d *demo) open(ctx context.Context, c *demoCommand, log *slog.Logger) ([]http.Handler, error) {
	secret := uuid.NewString() + uuid.NewString()
	var err error
	d.platform, err = platform.Open(ctx, platform.Config{DataDir: filepath.Join(c.Data, "platform"), PublicURL: d.platformURL, Issuer: d.issuer,
		ClientID: demoClient, Audience: d.platformURL, ViewFirst: !c.AllowChanges, Fallback: c.Fallback, Demo: true, Version: desktop.Version, Log: log,
		App: platform.App{ID: demoApp, Secret: secret, Audience: d.portalURL, StartURL: d.portalURL + "/", CookieName: demoCookie}})
	if err != nil {
		return nil, err
	}
	if err := demodata.Load(ctx, d.platform.Store, d.issuer); err != nil {
		return nil, err
	}
	d.portal, err = memberapp.New(memberapp.Config{BaseURL: d.portalURL, PlatformURL: "http://127.0.0.1:" + strconv.Itoa(c.Port), Issuer: d.platformURL,
		Audience: d.portalURL, AppID: demoApp, AppSecret: stead.Secret(secret), CookieName: demoCookie, DataFile: filepath.Join(c.Data, "portal.db"),
		Members: portalMembers(), SupportPhone: "0800 555 0100", Log: log})
	if err != nil {
		return nil, err
	}
	idp, err := devidp.New(devidp.Config{Issuer: d.issuer, People: personas(d.people), AccessTokenAudience: d.platformURL, Log: log,
		Clients: []devidp.Client{{ID: demoClient, Redirect: "http://127.0.0.1/callback"}}})
	if err != nil {
		return nil, err
	}
	return []http.Handler{d.platform.Handler, d.portal, idp}, nil
}

func portalMembers() []memberapp.Member {
	var out []memberapp.Member
	for _, m := range demodata.Members(demodata.DefaultMembers) {
		out = append(out, memberapp.Member{ID: m.ID, Account: m.Account, AccountName: m.AccountName, Name: m.Name, Email: m.Email, Zip: m.Zip, Plan: m.Plan})
	}
	return out
}

func personas(people []demodata.Person) []devidp.Person {
	var out []devidp.Person
	for _, p := range people {
		out = append(out, devidp.Person{Subject: string(p.ID), Name: p.Name, Email: p.Email, Title: title(p.Staff), Description: p.About})
	}
	return out
}

func title(s stead.Staff) string {
	if s.Tier > 0 {
		return fmt.Sprintf("%s, tier %d", s.Role, s.Tier)
	}
	return string(s.Role)
}

func (d *demo) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	d.servers = append(d.servers, s)
	d.wg.Go(func() { _ = s.Serve(l) }) // ends with Close
}

// Close stops the servers and closes what they served.
func (d *demo) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var errs []error
	if d.portal != nil {
		errs = append(errs, d.portal.Close()) // first: it still has to reach the platform
	}
	for _, s := range d.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, s.Close())
		}
	}
	d.wg.Wait()
	if d.platform != nil {
		errs = append(errs, d.platform.Close())
	}
	return errors.Join(errs...)
}

// desk is what a window on this demo needs. The demo enrols its own machine: nobody has to read out a code.
func (d *demo) desk() Desk {
	return Desk{PlatformURL: d.platformURL, DataDir: filepath.Join(d.dir, "desktop"), CacheDir: filepath.Join(d.dir, "cache"), Keyring: "stead-demo",
		EnrolmentCode: func(ctx context.Context) (string, error) {
			code, _, err := d.platform.Office.IssueEnrolmentCode(ctx)
			return code, err
		}}
}

func (d *demo) announce(out io.Writer) {
	_, _ = fmt.Fprintf(out, "platform    %s\nmember app  %s\nsign-in     %s\ndata        %s\n", d.platformURL, d.portalURL, d.issuer, d.dir)
	_, _ = fmt.Fprintf(out, "You can sign in as:\n")
	for _, p := range d.people {
		_, _ = fmt.Fprintf(out, "  %-18s %s\n", p.Name, p.About)
	}
}
