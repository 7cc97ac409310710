// Package windowtest drives the real window the way a screen reader does: through the accessibility tree (AT-SPI, on D-Bus).
//
// It is for tests. It knows roles and names, nothing of Stead; the journey stands in the test. A session bus and a display
// must be there (build/session.sh makes both), and the window must be the only one.
package windowtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	statusName = "org.a11y.Bus"
	statusPath = "/org/a11y/bus"
	registry   = "org.a11y.atspi.Registry"
	rootPath   = "/org/a11y/atspi/accessible/root"
	keysPath   = "/org/a11y/atspi/registry/deviceeventcontroller"

	// keyString asks GenerateKeyboardEvent to type a text (AtspiKeySynthType).
	keyString uint32 = 4

	accessible = "org.a11y.atspi.Accessible"
	properties = "org.freedesktop.DBus.Properties"

	// between is how long a search waits before it looks at the tree again.
	between = 100 * time.Millisecond
	// settle is how long WebKit takes to move the keyboard's focus after it was asked to.
	settle = 250 * time.Millisecond
)

// Desktop is a connection to the accessibility bus. It is safe for concurrent use.
type Desktop struct {
	bus *dbus.Conn
}

// Open turns accessibility on in the session that DBUS_SESSION_BUS_ADDRESS names and connects to its tree. Programs look
// at that setting when they start, so Open comes before the window.
func Open(ctx context.Context) (*Desktop, error) {
	session, err := dbus.ConnectSessionBus(dbus.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("session bus: %w", err)
	}
	defer session.Close()

	status := session.Object(statusName, statusPath)
	on := status.CallWithContext(ctx, properties+".Set", 0, "org.a11y.Status", "IsEnabled", dbus.MakeVariant(true))
	if on.Err != nil {
		return nil, fmt.Errorf("turn accessibility on: %w", on.Err)
	}
	var address string
	if err := status.CallWithContext(ctx, statusName+".GetAddress", 0).Store(&address); err != nil {
		return nil, fmt.Errorf("find the accessibility bus: %w", err)
	}
	bus, err := dbus.Connect(address)
	if err != nil {
		return nil, fmt.Errorf("accessibility bus: %w", err)
	}
	return &Desktop{bus: bus}, nil
}

// Close ends the connection; nodes of this desktop answer errors afterwards.
func (d *Desktop) Close() error { return d.bus.Close() }

// Root is the node whose children are the running programs.
func (d *Desktop) Root() Node { return Node{d, registry, rootPath} }

// Find waits until the tree holds a node that match accepts and returns the first, parents before children. When ctx ends
// first, the error shows the tree as it was last seen.
func (d *Desktop) Find(ctx context.Context, what string, match func(Seen) bool) (Seen, error) {
	for {
		if seen := d.first(ctx, match); seen != nil {
			return *seen, nil
		}
		select {
		case <-ctx.Done():
			fresh, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return Seen{}, fmt.Errorf("no %s in the window; it shows:\n%s", what, d.Outline(fresh))
		case <-time.After(between):
		}
	}
}

func (d *Desktop) first(ctx context.Context, match func(Seen) bool) *Seen {
	var found *Seen
	walk(ctx, d.Root(), 0, func(s Seen, _ int) bool {
		if match(s) {
			found = &s
		}
		return found == nil
	})
	return found
}

// Type types text into whatever has the keyboard's focus. AT-SPI passes on ASCII only.
func (d *Desktop) Type(ctx context.Context, text string) error {
	for _, r := range text {
		if r > '~' || r < ' ' {
			return errors.New("only printable ASCII can be typed through AT-SPI")
		}
	}
	call := d.bus.Object(registry, keysPath).CallWithContext(ctx,
		"org.a11y.atspi.DeviceEventController.GenerateKeyboardEvent", 0, int32(0), text, keyString)
	if call.Err != nil {
		return fmt.Errorf("keyboard: %w", call.Err)
	}
	return nil
}
