//go:build linux && !race

package ordeal

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"stead/internal/stead"

	"stead/internal/desktop/outbox"
)

// childEnv makes this binary a process that may die. Its value is the orders as JSON.
const childEnv = "STEAD_ORDEAL_CHILD"

// orders say what a child is to do.
type orders struct {
	Role     string
	Path     string // of the outbox, or the platform's data folder
	Device   stead.DeviceID
	Key      string // what the device's keys are drawn from
	Platform string // its address
	Token    string // an access token
	Issuer   string
	Trust    outbox.Trust // of the platform's log
	Listen   string
	Seed     uint64
	Records  int
	Life     time.Duration // after which it closes by itself; 0 for never
}

func TestMain(m *testing.M) {
	text := os.Getenv(childEnv)
	if text == "" {
		fmt.Printf("STEAD_SEED=%d SOAK=%d\n", seed, soak)
		os.Exit(m.Run())
	}
	var o orders
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		childFails("orders", err)
	}
	roles := map[string]func(orders){"device": deviceUntilKilled, "platform": platformUntilKilled, "taped platform": platformUntilTold, "script": deviceScript, "faults": underFaults(deviceScript),
		"recover faults": underFaults(deviceRecovers), "compact faults": underFaults(deviceCompacts), "full": deviceOnFullDisk}
	roles[o.Role](o)
	os.Exit(0)
}

// child prepares a process with orders. It dies with this one.
func child(t *testing.T, o orders) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	return cmd
}

// say prints a line in one write, so that a kill leaves at most the last one torn.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// childFails ends a child that met what no ordeal allows.
func childFails(what string, err error) {
	say("failed %s: %v", what, err)
	os.Exit(3)
}

// seed is what all chance comes from.
var seed = number("STEAD_SEED", rand.Uint64())

// soak multiplies the rounds.
var soak = int(number("SOAK", 1))

func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

// chance is a test's own source of random numbers, so that the order of tests does not matter.
func chance(t *testing.T) *rand.Rand {
	t.Helper()
	h := fnv.New64a()
	h.Write([]byte(t.Name()))
	t.Logf("STEAD_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// cannot skips an ordeal that this machine has no means for, or fails where all of them are asked for.
func cannot(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("STEAD_ORDEALS") == "all" {
		t.Fatalf("this ordeal was asked for and cannot run here: %s", why)
	}
	t.Skip("NOT RUN: " + why)
}
