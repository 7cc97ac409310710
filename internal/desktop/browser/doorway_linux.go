package browser

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// samePerson reports whether the other end of a connection on this machine's loopback is a process of this user: another
// one can read the page's address as well. What the kernel does not show is nobody of ours.
func samePerson(peer, own string) bool {
	from, err1 := tableAddress(peer)
	to, err2 := tableAddress(own)
	table, err := os.Open("/proc/net/tcp")
	if err1 != nil || err2 != nil || err != nil {
		return false
	}
	defer table.Close()
	me := strconv.Itoa(os.Getuid())
	for lines := bufio.NewScanner(table); lines.Scan(); {
		// sl, local address, remote address, state, queues, timer, retransmissions, uid (proc_pid_net(5))
		f := strings.Fields(lines.Text())
		if len(f) > 7 && f[1] == from && f[2] == to {
			return f[7] == me
		}
	}
	return false
}

// tableAddress is an IPv4 address and port as the kernel's table writes them: the address's bytes in the machine's order.
func tableAddress(address string) (string, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil || !a.Addr().Is4() {
		return "", fmt.Errorf("%q is no IPv4 address with a port", address)
	}
	ip := a.Addr().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), a.Port()), nil
}
