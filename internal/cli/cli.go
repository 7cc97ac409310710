// Package cli is the command line: one subcommand a job. It parses, hands over, and turns errors into a sentence
// and an exit code.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/alecthomas/kong"

	"stead/internal/desktop"
	"stead/internal/stead"
)

// Desk is what a window needs to know about the demo's platform.
type Desk struct {
	PlatformURL   string
	DataDir       string
	CacheDir      string
	Keyring       string
	EnrolmentCode func(ctx context.Context) (string, error)
}

// Window opens the window and returns when it is closed.
type Window func(ctx context.Context, d Desk) error

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitMachine = 2  // this machine or its configuration cannot do it
	exitUsage   = 64 // the command line itself is wrong (sysexits.h)
)

// commands is the command line as kong reads it.
type commands struct {
	Demo     demoCommand `cmd:"" help:"Embedded platform and member app on this machine, and the window."`
	Platform struct {
		Serve       serveCommand       `cmd:"" help:"Serve the platform."`
		Backup      backupCommand      `cmd:"" help:"Back up a platform, also while it serves."`
		Restored    restoredCommand    `cmd:"" help:"Declare that a backup was put back, signed by two people, before the platform serves again."`
		RotateKey   rotateKeyCommand   `cmd:"" help:"Let a new key sign from here on. The platform must not be serving."`
		RecoveryKey recoveryKeyCommand `cmd:"" help:"Make the recovery key of one person, in a file under a passphrase."`
		Sign        signCommand        `cmd:"" help:"Add a person's signature to a statement, on any machine."`
	} `cmd:"" help:"The platform."`
	Members struct {
		Import membersImportCommand `cmd:"" help:"Bring members from a file into a platform that is not running: all of its rows, or none."`
		memberCareCommands
	} `cmd:"" help:"The members a platform knows."`
	Staff struct {
		Import staffImportCommand `cmd:"" help:"Bring staff from a file into a platform that is not running: all of its rows, or none."`
		staffCareCommands
	} `cmd:"" help:"The people who work here."`
	Audit struct {
		Verify verifyCommand `cmd:"" help:"Prove offline that nothing in a platform's ledger was changed, dropped, reordered or cut."`
		Export exportCommand `cmd:"" help:"Write what the platform recorded into a file: a bundle that an auditor checks without trusting anybody, or lines for other programs."`
	} `cmd:"" help:"Proof."`
	Version versionCommand `cmd:"" help:"Print the version."`
	Doctor  doctorCommand  `cmd:"" help:"Say what on this machine keeps Stead from working, and what to do about it."`
}

// env is what every command gets.
type env struct {
	ctx    context.Context
	out    io.Writer
	errOut io.Writer
	window Window
}

// Run runs one command and returns the exit code.
func Run(ctx context.Context, args []string, out, errOut io.Writer, w Window) int {
	var c commands
	code := -1
	parser, err := kong.New(&c, kong.Name("stead"), kong.Writers(out, errOut),
		kong.Description("A support agent sees a platform exactly as one member sees it, for twenty minutes at most, and it is all recorded. Without arguments: the window. "+
			"For security teams: stead help browsers."),
		kong.Exit(func(n int) { code = n }), kong.UsageOnError())
	if err != nil {
		return Report(errOut, err)
	}
	if len(args) == 2 && args[0] == "help" && topics[args[1]] != nil {
		_, err := io.WriteString(out, topics[args[1]]())
		return Report(errOut, err)
	}
	if len(args) > 0 && args[0] == "help" {
		args = append(args[1:], "--help")
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was printed
		return code
	}
	if err != nil {
		_, _ = fmt.Fprintf(errOut, "stead: %s. Try: stead --help\n", err)
		return exitUsage
	}
	return Report(errOut, parsed.Run(&env{ctx: ctx, out: out, errOut: errOut, window: w}))
}

// Report prints what a person must know about an error, and returns its exit code.
func Report(errOut io.Writer, err error) int {
	if err == nil || errors.Is(err, context.Canceled) {
		return exitOK
	}
	var e *stead.Error
	if errors.As(err, &e) {
		sentence, hint := say(e)
		_, _ = fmt.Fprintf(errOut, "stead: %s %s\n", sentence, hint)
		return ExitCode(e.Code)
	}
	_, _ = fmt.Fprintf(errOut, "stead: %v\n", err)
	return exitFailed
}

// machineCodes are the codes that say that this machine or its configuration is the problem.
var machineCodes = map[stead.Code]bool{
	stead.CodeKeyringMissing: true, stead.CodeKeyringSilent: true, stead.CodeBrowserMissing: true,
	stead.CodeBrowserAsRoot: true, stead.CodeBrowserSilent: true, stead.CodeBrowserPolicy: true, stead.CodePortTaken: true,
	stead.CodeDataReadOnly: true, stead.CodeDataNewer: true, stead.CodeAlreadyRunning: true, stead.CodeNoWindow: true, stead.CodeConfigInvalid: true,
	stead.CodeLedgerUnusable: true,
}

// ExitCode is the exit code of a command that failed with that code: 2 when this machine or its configuration has to
// change first, else 1.
func ExitCode(c stead.Code) int {
	if machineCodes[c] {
		return exitMachine
	}
	return exitFailed
}

type versionCommand struct {
	JSON bool `help:"As JSON." name:"json"`
}

// Run prints the version.
func (v *versionCommand) Run(e *env) error {
	if v.JSON {
		return json.NewEncoder(e.out).Encode(map[string]string{"version": desktop.Version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH})
	}
	_, err := fmt.Fprintf(e.out, "stead %s (%s %s/%s)\n", desktop.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
