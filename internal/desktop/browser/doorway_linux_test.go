package browser

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"testing"
)

// TestTheDoorwayIsForThisUser: the address stands in arguments, which every user of the machine can read.
func TestTheDoorwayIsForThisUser(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if !samePerson(c.LocalAddr().String(), l.Addr().String()) {
		t.Error("this process is not of this user")
	}
	for _, nobody := range []string{"127.0.0.1:1", "[::1]:1", "", l.Addr().String()} {
		if samePerson(nobody, l.Addr().String()) {
			t.Errorf("%q is of this user", nobody)
		}
	}
	d := openDoor(t)
	if os.Geteuid() == 0 { // only root can be two people
		cmd := exec.CommandContext(t.Context(), "runuser", "-u", "nobody", "--", "curl", "-s", "--max-time", "5", "-o", "/dev/null", "-w", "%{http_code}", d.address())
		if out, err := cmd.Output(); err != nil || string(out) != "410" {
			t.Errorf("another user: %s, %v", out, err)
		}
	} else {
		d.ours = func(string, string) bool { return false }
		if res, _ := knock(t, http.MethodGet, d.address(), ""); res.StatusCode != http.StatusGone {
			t.Errorf("another user: status %d", res.StatusCode)
		}
	}
	if !isDone(d.contested) || isDone(d.came) {
		t.Error("another user was not noticed, or taken for the browser")
	}
}
