package outbox

import (
	"testing"
	"time"

	"stead/internal/audit"
	"stead/internal/stead"
)

func TestTrustIsReadStrictly(t *testing.T) {
	good := testTrust()
	if err := good.Valid(); err != nil {
		t.Fatal(err)
	}
	for name, bend := range map[string]func(*Trust){
		"no log key":          func(c *Trust) { c.LogKeys = nil },
		"rubbish":             func(c *Trust) { c.LogKeys = []string{"x"} },
		"another log's key":   func(c *Trust) { c.Origin = "another.test" },
		"one recovery key":    func(c *Trust) { c.RecoveryKeys = c.RecoveryKeys[:1] },
		"one person twice":    func(c *Trust) { c.RecoveryKeys = append(c.RecoveryKeys, c.RecoveryKeys[0]) },
		"two names, one key":  func(c *Trust) { c.RecoveryKeys = append(c.RecoveryKeys, testVkey("mallory", "bob")) },
		"recovery keys alone": func(c *Trust) { c.Origin, c.LogKeys = "", nil },
	} {
		c := testTrust()
		bend(&c)
		cfg := testConfig()
		cfg.Trust = c
		if _, err := Open(t.Context(), newPath(t), cfg); err == nil || c.Valid() == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestReceiptsNeedTrust(t *testing.T) {
	cfg := testConfig()
	cfg.Trust = Trust{}
	o, err := Open(t.Context(), newPath(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	l := newLedger()
	if err := o.Run(t.Context(), l, l.log); err == nil || l.heads != 0 {
		t.Errorf("it ran: %v", err)
	}
}

// TestKeysAreHandedOver from key to key, over a restart, and from nobody else.
func TestKeysAreHandedOver(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 3)
	l.log.tell(handover("mallory", "mallory2"))
	l.log.tell(handover("log", "log2"))
	l.log.tell(handover("log2", "log3"))
	for _, key := range []string{"log2", "log3", "log"} { // the older ones stay good
		l.log.set(func() { l.log.key = key })
		settled(t, o, l, 2)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		o = open(t, path)
	}
	l.log.set(func() { l.log.key, l.log.statements = "log3", nil }) // it is remembered
	settled(t, o, l, 2)
	if n := len(o.file.proof.Handovers); n != 2 {
		t.Errorf("%d handovers are kept", n)
	}
	l.log.set(func() { l.log.key = "mallory2" })
	appendN(t, o, 1)
	if err := o.Drain(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked || o.State().Unreceipted != 1 {
		t.Errorf("a key that nobody handed over to: %v", err)
	}
}

func recovered(to string, at int64, people ...string) []byte {
	text, err := audit.Handover{Origin: testOrigin, Key: testVkey(testOrigin, to), At: time.Unix(at, 0)}.Text()
	if err != nil {
		panic(err)
	}
	return signedBy(text, people...)
}

// TestStolenKeyIsReplaced: what two people hand over to takes the place of every key before it.
func TestStolenKeyIsReplaced(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 3)
	l.log.tell(recovered("thief", 1_790_000_000, "alice"))
	l.log.tell(recovered("log2", 1_790_000_000, "alice", "bob"))
	l.log.set(func() { l.log.key = "log2" })
	settled(t, o, l, 1)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	o = open(t, path)
	l.log.tell(handover("log", "thief"))
	l.log.tell(recovered("log", 1_780_000_000, "alice", "bob")) // signed long before
	for _, key := range []string{"log", "thief"} {
		l.log.set(func() { l.log.key = key })
		if _, err := o.prove(t.Context(), l.log); stead.CodeOf(err) != stead.CodeLogForked {
			t.Errorf("signed by %s: %v", key, err)
		}
	}
	l.log.set(func() { l.log.key = "log2" })
	settled(t, o, l, 0)
	settled(t, o, l, 1)
}

func TestStatementsThatDoNotFollowAreDamage(t *testing.T) {
	path := newPath(t)
	o, l := open(t, path), newLedger()
	settled(t, o, l, 1)
	l.log.tell(handover("log", "log2"))
	l.log.set(func() { l.log.key = "log2" })
	settled(t, o, l, 1)
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	cfg := testConfig()
	cfg.Trust.LogKeys = []string{testVkey(testOrigin, "another")}
	if _, err := Open(t.Context(), path, cfg); stead.CodeOf(err) != stead.CodeOutboxDamaged {
		t.Errorf("with other pins: %v", err)
	}
	open(t, path)
}
