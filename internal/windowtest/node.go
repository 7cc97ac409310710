package windowtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// Role is what kind of thing a node is, by AT-SPI's number (AtspiRole).
type Role uint32

// The roles that Stead's pages use. A button that opens a dialog or menu is a combo box to WebKit.
const (
	RoleCheckBox     Role = 7
	RoleComboBox     Role = 11
	RoleDialog       Role = 16
	RoleFrame        Role = 23
	RoleOption       Role = 32
	RoleMenuItem     Role = 35
	RoleTab          Role = 37
	RoleButton       Role = 43
	RoleRadio        Role = 44
	RoleStatus       Role = 54
	RoleEntry        Role = 79
	RoleHeading      Role = 83
	RoleLink         Role = 88
	RoleDocument     Role = 95
	RoleNotification Role = 101 // role="alert" on a page
)

// embedded stands in a text for each node inside it, whose own text is found there.
const embedded = "\ufffc"

const textInterface = "org.a11y.atspi.Text"

// maxDepth ends a walk through a tree that a program changes, or links in a circle, while it is read.
const maxDepth = 60

// Node is one thing in the tree: a program, a window, a button. It may be gone at the next call, which then fails.
type Node struct {
	desktop *Desktop
	name    string
	path    dbus.ObjectPath
}

// Seen is a node with what Find looked at.
type Seen struct {
	Node
	Role Role
	Name string // the accessible name
	Text string // the words it holds itself; empty when it has none
}

// Named matches nodes of a role whose accessible name begins with name: WebKit appends a field's value to its label.
func Named(role Role, name string) func(Seen) bool {
	return func(s Seen) bool { return s.Role == role && strings.HasPrefix(s.Name, name) }
}

// Pressable matches what a click does something to and whose name begins with name.
func Pressable(name string) func(Seen) bool {
	return func(s Seen) bool {
		switch s.Role {
		case RoleButton, RoleComboBox, RoleLink, RoleMenuItem, RoleOption, RoleTab, RoleRadio, RoleCheckBox:
			return strings.HasPrefix(s.Name, name)
		}
		return false
	}
}

// Saying matches any node whose accessible name or text contains words.
func Saying(words string) func(Seen) bool {
	return func(s Seen) bool { return strings.Contains(s.Name, words) || strings.Contains(s.Text, words) }
}

// Press does what a click does.
func (n Node) Press(ctx context.Context) error {
	var done bool
	if err := n.call(ctx, "org.a11y.atspi.Action.DoAction", int32(0)).Store(&done); err != nil {
		return fmt.Errorf("press: %w", err)
	}
	if !done {
		return fmt.Errorf("press: the node did not take it")
	}
	return nil
}

// Enter focuses the node and types text into it.
func (n Node) Enter(ctx context.Context, text string) error {
	if err := n.Focus(ctx); err != nil {
		return err
	}
	return n.desktop.Type(ctx, text)
}

// Focus gives the node the keyboard's focus.
func (n Node) Focus(ctx context.Context) error {
	var done bool
	if err := n.call(ctx, "org.a11y.atspi.Component.GrabFocus").Store(&done); err != nil {
		return fmt.Errorf("focus: %w", err)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settle):
		return nil
	}
}

// Outline draws the tree below the desktop, one node a line.
func (d *Desktop) Outline(ctx context.Context) string {
	var b strings.Builder
	walk(ctx, d.Root(), 0, func(s Seen, depth int) bool {
		fmt.Fprintf(&b, "%s%d %q %.80q\n", strings.Repeat("  ", depth), s.Role, s.Name, s.Text)
		return true
	})
	return b.String()
}

func (n Node) call(ctx context.Context, method string, args ...any) *dbus.Call {
	return n.desktop.bus.Object(n.name, n.path).CallWithContext(ctx, method, 0, args...)
}

func (n Node) property(ctx context.Context, name string, into any) error {
	var v dbus.Variant
	if err := n.call(ctx, properties+".Get", accessible, name).Store(&v); err != nil {
		return err
	}
	return dbus.Store([]any{v.Value()}, into)
}

// see reads role, name and text. GetRoleName answers nothing for the nodes of a page, GetRole does.
func (n Node) see(ctx context.Context) (Seen, error) {
	var role uint32
	if err := n.call(ctx, accessible+".GetRole").Store(&role); err != nil {
		return Seen{}, err
	}
	var name string
	if err := n.property(ctx, "Name", &name); err != nil {
		return Seen{}, err
	}
	seen := Seen{Node: n, Role: Role(role), Name: name}
	// Most nodes have no text, and WebKit complains loudly about being asked.
	var has []string
	if err := n.call(ctx, accessible+".GetInterfaces").Store(&has); err != nil {
		return Seen{}, err
	}
	if slices.Contains(has, textInterface) {
		if err := n.call(ctx, textInterface+".GetText", int32(0), int32(-1)).Store(&seen.Text); err != nil {
			seen.Text = ""
		}
	}
	seen.Text = strings.ReplaceAll(seen.Text, embedded, "")
	return seen, nil
}

// child asks one by one: GetChildren answers nothing where GTK ends and WebKit begins.
func (n Node) child(ctx context.Context, i int32) (Node, error) {
	var ref struct {
		Name string
		Path dbus.ObjectPath
	}
	if err := n.call(ctx, accessible+".GetChildAtIndex", i).Store(&ref); err != nil {
		return Node{}, err
	}
	if ref.Path == "/org/a11y/atspi/null" {
		return Node{}, fmt.Errorf("child %d is gone", i)
	}
	return Node{n.desktop, ref.Name, ref.Path}, nil
}

// walk visits n and what is below it until visit answers false. What cannot be read has just gone, and is left out.
func walk(ctx context.Context, n Node, depth int, visit func(Seen, int) bool) bool {
	if depth > maxDepth || ctx.Err() != nil {
		return true
	}
	seen, err := n.see(ctx)
	if err != nil {
		return true
	}
	if !visit(seen, depth) {
		return false
	}
	var count int32
	if err := n.property(ctx, "ChildCount", &count); err != nil {
		return true
	}
	for i := range count {
		child, err := n.child(ctx, i)
		if err != nil {
			continue
		}
		if !walk(ctx, child, depth+1, visit) {
			return false
		}
	}
	return true
}
