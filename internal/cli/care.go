package cli

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"stead/internal/stead"

	"stead/internal/platform"
	"stead/internal/platform/erasure"
	"stead/internal/platform/keys"
	"stead/internal/platform/ledger"
	"stead/internal/platform/sqlite"
	"stead/internal/platform/store"
)

// memberCareCommands are what is done about one member's personal data.
type memberCareCommands struct {
	Erase   memberErase   `cmd:"" help:"Erase a member for good, in a platform that is not running. What happened stays, without what tells who it was."`
	Hold    memberHold    `cmd:"" help:"Place a legal hold on a member: nothing of them is erased, on request or by age, until it is released."`
	Release memberRelease `cmd:"" help:"Release the legal hold on a member."`
	Holds   holdsCommand  `cmd:"" help:"List the legal holds that stand, on members and on staff."`
}

// staffCareCommands are the same for somebody who works or worked here.
type staffCareCommands struct {
	Erase   staffErase   `cmd:"" help:"Erase somebody who no longer works here, in a platform that is not running."`
	Hold    staffHold    `cmd:"" help:"Place a legal hold on somebody who works or worked here."`
	Release staffRelease `cmd:"" help:"Release the legal hold on somebody who works or worked here."`
}

// dataFlags say which platform's data a command works on. The platform must not be running.
type dataFlags struct {
	Config string `help:"The platform's configuration file (JSON)." required:"" type:"path"`
	Data   string `help:"Data folder; overrides the file." type:"path"`
}

// careFlags are what every command about one person takes.
type careFlags struct {
	ID     string `arg:"" help:"Id of the person."`
	Reason string `help:"Why; it becomes part of the record." required:""`
	dataFlags
}

// eraseFlags are careFlags for what cannot be taken back.
type eraseFlags struct {
	Yes bool `help:"Do not ask."`
	careFlags
}

type (
	memberErase   struct{ eraseFlags }
	memberHold    struct{ careFlags }
	memberRelease struct{ careFlags }
	staffErase    struct{ eraseFlags }
	staffHold     struct{ careFlags }
	staffRelease  struct{ careFlags }
	holdsCommand  struct{ dataFlags }
)

// Run erases the member.
func (c *memberErase) Run(e *env) error { return c.erase(e, c.member()) }

// Run erases the member of staff.
func (c *staffErase) Run(e *env) error { return c.erase(e, c.staff()) }

// Run places the hold.
func (c *memberHold) Run(e *env) error { return c.hold(e, c.member()) }

// Run places the hold.
func (c *staffHold) Run(e *env) error { return c.hold(e, c.staff()) }

// Run releases the hold.
func (c *memberRelease) Run(e *env) error { return c.release(e, c.member()) }

// Run releases the hold.
func (c *staffRelease) Run(e *env) error { return c.release(e, c.staff()) }

func (c *careFlags) member() store.Person { return store.Person{Member: stead.MemberID(c.ID)} }
func (c *careFlags) staff() store.Person  { return store.Person{Staff: stead.StaffID(c.ID)} }

func (c *eraseFlags) erase(e *env, who store.Person) error {
	return c.with(e, func(o *erasure.Office) error {
		if err := c.sure(e, o, who); err != nil {
			return err
		}
		at, err := o.Erase(e.ctx, operator(), who, stead.NewEventID(), c.Reason)
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%s was erased at %s\n", c.ID, at.Format(time.RFC3339))
		}
		return err
	})
}

// sure shows whom the id names and asks whether it is them.
func (c *eraseFlags) sure(e *env, o *erasure.Office, who store.Person) error {
	if c.Yes {
		return nil
	}
	name, err := o.Name(e.ctx, who)
	if err != nil {
		return err
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return stead.Errorf(stead.CodeBadRequest, "%s is %s; to erase them for good where nobody can be asked, add --yes", c.ID, name)
	}
	_, _ = fmt.Fprintf(e.out, "%s is %s. Erasing cannot be taken back. Type the name to go on: ", c.ID, name)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(answer) != name {
		return stead.Errorf(stead.CodeBadRequest, "that is not the name; nobody was erased")
	}
	return nil
}

func (c *careFlags) hold(e *env, who store.Person) error {
	return c.with(e, func(o *erasure.Office) error {
		before, err := c.held(e, o, who)
		if err != nil {
			return err
		}
		h, err := o.Place(e.ctx, operator(), who, stead.NewEventID(), c.Reason)
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%s is held since %s\n", c.ID, h.PlacedAt.Format(time.RFC3339))
		}
		if err == nil && before {
			_, err = fmt.Fprintln(e.out, "That hold stood already and goes on; the reason given now was recorded beside its own. Releasing it ends it for all of them.")
		}
		return err
	})
}

// held reports whether a hold stands on the person.
func (c *careFlags) held(e *env, o *erasure.Office, who store.Person) (bool, error) {
	holds, err := o.Holds(e.ctx)
	return slices.ContainsFunc(holds, func(h erasure.Hold) bool { return h.Member == who.Member && h.Staff == who.Staff }), err
}

func (c *careFlags) release(e *env, who store.Person) error {
	return c.with(e, func(o *erasure.Office) error {
		err := o.Release(e.ctx, operator(), who, stead.NewEventID(), c.Reason)
		if err == nil {
			_, err = fmt.Fprintf(e.out, "%s is not held\n", c.ID)
		}
		return err
	})
}

// Run lists the holds.
func (c *holdsCommand) Run(e *env) error {
	return c.with(e, func(o *erasure.Office) error {
		holds, err := o.Holds(e.ctx)
		if err != nil {
			return err
		}
		if len(holds) == 0 {
			_, err = fmt.Fprintln(e.out, "Nobody is held.")
			return err
		}
		w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
		_, _ = fmt.Fprintln(w, "PERSON\tSINCE\tBY\tREASON")
		for _, h := range holds {
			who, by := "member "+string(h.Member), string(h.PlacedBy)
			if h.Staff != "" {
				who = "staff " + string(h.Staff)
			}
			if by == "" {
				by = "operator"
			}
			_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", who, h.PlacedAt.Format(time.RFC3339), by, strings.Join(append([]string{h.Reason}, h.Further...), "; also: "))
		}
		return w.Flush()
	})
}

// operator is whoever runs the command, by their name on this machine.
func operator() erasure.By {
	u, err := user.Current()
	if err != nil {
		return erasure.By{Operator: fmt.Sprintf("uid %d", os.Getuid())}
	}
	return erasure.By{Operator: u.Username}
}

// with opens the data of a platform that is not running, which must be there, and closes it again.
func (c *dataFlags) with(e *env, do func(*erasure.Office) error) (err error) {
	f, err := readServeConfig(&serveCommand{Config: c.Config, Data: c.Data})
	if err != nil {
		return err
	}
	if f.Data == "" {
		return stead.Errorf(stead.CodeConfigInvalid, "data is missing")
	}
	if _, err := os.Stat(filepath.Join(f.Data, platform.DataFile)); err != nil {
		return stead.Errorf(stead.CodeConfigInvalid, "there is no %s in %s", platform.DataFile, f.Data).Because(err)
	}
	s, err := sqlite.Open(e.ctx, filepath.Join(f.Data, platform.DataFile))
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	o, err := openErasure(e, s, f.Data)
	if err != nil {
		return err
	}
	return do(o)
}

func openErasure(e *env, s store.Store, folder string) (*erasure.Office, error) {
	ring, err := keys.Open(e.ctx, s, filepath.Join(folder, platform.KeyFile))
	if err != nil {
		return nil, err
	}
	led, err := ledger.Open(e.ctx, s, ring)
	if err != nil {
		return nil, err
	}
	return &erasure.Office{Store: s, Ledger: led, List: filepath.Join(folder, platform.ErasedFile), Marks: ring,
		Log: slog.New(slog.NewTextHandler(e.errOut, nil))}, nil
}
