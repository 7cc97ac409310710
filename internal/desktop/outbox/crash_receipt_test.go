package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

// platformAddress is the variable that tells a child where its platform listens.
const platformAddress = "STEAD_OUTBOX_PLATFORM"

// Wire is a ledger and its log, served to another process.
type Wire struct{ l *ledger }

// Reply is an answer to records or a head.
type Reply struct {
	Ack  Ack
	Code stead.Code
	Bad  uint64
}

func (r *Reply) set(a Ack, err error) error {
	var bad badRecord
	_ = errors.As(err, &bad)
	*r = Reply{a, stead.CodeOf(err), uint64(bad)}
	return nil
}

// HeadSaid is what PostHead takes.
type HeadSaid struct {
	Head audit.Head
	Sig  []byte
}

// Asked is what Positions and Tile take.
type Asked struct {
	First        uint64
	Limit, Level int
	Index        int64
}

func (w *Wire) Records(b Batch, r *Reply) error {
	a, err := w.l.PostRecords(context.Background(), b)
	return r.set(a, err)
}

func (w *Wire) Head(h HeadSaid, r *Reply) error {
	a, err := w.l.PostHead(context.Background(), h.Head, h.Sig)
	return r.set(a, err)
}

func (w *Wire) Checkpoint(_ int, out *[]byte) (err error) {
	*out, err = w.l.log.Checkpoint(context.Background())
	return err
}

func (w *Wire) Positions(q Asked, out *[]int64) (err error) {
	*out, err = w.l.log.Positions(context.Background(), audit.Epoch{}, q.First, q.Limit)
	return err
}

func (w *Wire) Tile(q Asked, out *[]byte) (err error) {
	*out, err = w.l.log.Tile(context.Background(), q.Level, q.Index, q.Limit)
	return err
}

// far is a Platform and Log in another process.
type far struct{ *rpc.Client }

func (r Reply) open() (Ack, error) {
	switch {
	case r.Bad > 0:
		return r.Ack, badRecord(r.Bad)
	case r.Code != "":
		return r.Ack, stead.E(r.Code, nil)
	}
	return r.Ack, nil
}

func (f far) PostRecords(_ context.Context, b Batch) (Ack, error) {
	var r Reply
	if err := f.Call("Wire.Records", b, &r); err != nil {
		return Ack{}, err
	}
	return r.open()
}

func (f far) PostHead(_ context.Context, h audit.Head, sig []byte) (Ack, error) {
	var r Reply
	if err := f.Call("Wire.Head", HeadSaid{h, sig}, &r); err != nil {
		return Ack{}, err
	}
	return r.open()
}

func (f far) Checkpoint(context.Context) (out []byte, err error) {
	return out, f.Call("Wire.Checkpoint", 0, &out)
}

func (f far) Statements(context.Context) ([][]byte, error) { return nil, nil }

func (f far) Positions(_ context.Context, _ audit.Epoch, first uint64, limit int) (out []int64, err error) {
	err = f.Call("Wire.Positions", Asked{First: first, Limit: limit}, &out)
	return out, err
}

func (f far) Tile(_ context.Context, level int, index int64, width int) (out []byte, err error) {
	err = f.Call("Wire.Tile", Asked{Limit: width, Level: level, Index: index}, &out)
	return out, err
}

// childWork appends for ever while Run sends and proves, and prints each record after it was answered.
func childWork(path string) {
	client, err := rpc.Dial("tcp", os.Getenv(platformAddress))
	if err != nil {
		fmt.Println("dial:", err)
		os.Exit(3)
	}
	o, err := Open(context.Background(), path, testConfig())
	if err != nil {
		fmt.Println("open:", err)
		os.Exit(3)
	}
	go func() { _ = o.Run(context.Background(), far{client}, far{client}) }()
	for {
		p, err := o.Append(context.Background(), intent())
		if err != nil {
			fmt.Println("append:", err)
			os.Exit(4)
		}
		fmt.Printf("%d %x\n", p.Seq, p.Leaf)
		time.Sleep(500 * time.Microsecond)
	}
}

// TestKill9BetweenReceiptAndDeletion kills a process that appends, sends, quarantines and proves at once, again and
// again. After each time every record that was answered is either held as it was, or has a receipt and is in the log.
func TestKill9BetweenReceiptAndDeletion(t *testing.T) {
	const rounds = 40
	path, l := newPath(t), newLedger()
	for seq := range uint64(100_000) {
		l.poison[seq] = seq%41 == 40
	}
	server := rpc.NewServer()
	if err := server.Register(&Wire{l}); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return // closed with the test
			}
			go server.ServeConn(c)
		}
	}()
	known := map[uint64]string{}
	for range rounds {
		cmd := child(t, "work", filepath.Dir(path))
		cmd.Env = append(cmd.Env, platformAddress+"="+listener.Addr().String())
		runUntilKilled(t, cmd, time.Duration(50+rand.IntN(150))*time.Millisecond, known)
		o := open(t, path)
		checkReceipts(t, o, l, known)
		checkHeld(t, o, known)
		if err := o.Close(); err != nil || t.Failed() {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	if st := s.State(); st.Receipted == 0 || st.Quarantined == 0 {
		t.Errorf("nothing was proven or refused: %+v", st)
	}
	t.Logf("%d rounds, %d answered, %+v", rounds, len(known), s.State())
}

// checkReceipts expects receipts without a gap up to the mark, each for the record that was answered.
func checkReceipts(t *testing.T, o *Outbox, l *ledger, known map[uint64]string) {
	t.Helper()
	kept := map[uint64]bool{}
	for _, q := range quarantineOf(t, o) {
		kept[q.Seq] = known[q.Seq] == "" || leafHex(Item{Envelope: q.Envelope}) == known[q.Seq]
	}
	covered := uint64(0)
	for _, r := range receiptsOf(t, o) {
		for i, p := range r.Positions {
			seq := r.First + uint64(i)
			l.log.set(func() {
				if seq != covered+1 || p < 0 && !kept[seq] || p >= 0 && known[seq] != "" && fmt.Sprintf("%x", l.log.leaves[p]) != known[seq] {
					t.Errorf("record %d after %d stands at %d", seq, covered, p)
				}
			})
			covered = seq
		}
	}
	if s := o.State(); covered != s.Receipted {
		t.Errorf("receipts up to %d, %+v", covered, s)
	}
}

// checkHeld expects every record after the mark to be there as it was answered.
func checkHeld(t *testing.T, o *Outbox, known map[uint64]string) {
	t.Helper()
	s := o.State()
	for seq := s.Receipted + 1; seq <= s.Head; seq++ {
		r, err := o.record(seq)
		if leaf := leafHex(Item{Envelope: r.Envelope}); err != nil || known[seq] != "" && known[seq] != leaf {
			t.Errorf("record %d: %v", seq, err)
		}
	}
	for seq := range known {
		if seq > s.Head {
			t.Errorf("record %d was answered and is gone", seq)
		}
	}
}
