package outbox

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/fxamacker/cbor/v2"
	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// Why a file was begun after another one.
const (
	WhyDamaged      = "outbox_damaged"
	WhyMissing      = "outbox_missing"
	WhyKeyringReset = "keyring_reset"
)

// Recovered says what an outbox was begun after, as its first record does.
type Recovered struct {
	_        struct{} `cbor:",toarray"`
	Why      string   // one of the Why constants
	Evidence string   // name of the kept file in the folder "evidence"; empty when there was no file
	SHA256   [32]byte // of that file
	Salvaged int      // records that could be read in it and are sent under their old epoch
	Missing  string   // sequences of its last epoch that were not acknowledged and not found, as "31, 40-45"
	Sealed   bool     // only the platform can read the file, or another device key signed it, and it is sent there as it is
	Stranded string   // what was salvaged and does not connect to what the platform holds: epoch and sequences
	Refused  string   // what the platform alone can read and did not take: file and stead.Code
}

// Recover puts a fresh outbox in the place of one that Open refused as damaged, or that is gone though it existed. The
// damaged file is kept, unchanged and read-only, in the folder "evidence" beside it. What can still be read in it is
// saved into the fresh file and sent under its old epoch; what can be read by the platform alone is sent there as it
// is. The first record of the fresh epoch (device.recovery) says all this, and until the platform has acknowledged it
// the outbox takes no session.intent (CodeOutboxRecovered).
//
// Nothing is lost when it is interrupted: path names the damaged file or the complete fresh one, never anything
// between, and another call goes on. On a sound outbox it changes nothing and returns what that one was begun after.
//
// Errors: those of Open other than CodeOutboxDamaged; that one when path is not a file at all.
func Recover(ctx context.Context, path string, cfg Config) (Recovered, error) {
	return succeed(ctx, path, path, cfg, WhyDamaged)
}

// Succeed begins the outbox of a device that was enrolled anew because the keyring lost the keys of the one before,
// whose file lies at former. It does what Recover does, with that file as the damaged one.
func Succeed(ctx context.Context, former, path string, cfg Config) (Recovered, error) {
	return succeed(ctx, former, path, cfg, WhyKeyringReset)
}

func succeed(ctx context.Context, from, path string, cfg Config, why string) (Recovered, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return Recovered{}, err
	}
	if exists(path) {
		f, err := openExisting(ctx, path, cfg)
		if err == nil {
			err = f.close()
			if from != path && err == nil {
				err = setAside(ctx, from, cfg)
			}
			return f.after(), err
		}
		if stead.CodeOf(err) != stead.CodeOutboxDamaged || from != path {
			return Recovered{}, err
		}
	}
	if !exists(from) {
		return missing(path, cfg)
	}
	s, err := hold(ctx, from)
	if err != nil {
		return Recovered{}, err
	}
	defer s.release()
	r, err := replace(ctx, s, path, cfg, why)
	return r, openError(path, err)
}

// missing begins an outbox where one is gone.
func missing(path string, cfg Config) (Recovered, error) {
	r := Recovered{Why: WhyMissing}
	tmp, err := prepareSparing(path, path, cfg, beginning{generation: 1, recovered: &r, first: audit.Body{"why": WhyMissing}})
	if err == nil {
		defer func() { _ = os.Remove(tmp) }()
		err = publish(tmp, path)
	}
	return r, openError(path, err)
}

// replace carries a recovery out. Each step leaves the folder so that the next call finds its way: the fresh file is
// written under a passing name, the damaged one gets a second name, the fresh one takes its first, which is the one
// moment that counts, and then the second becomes read-only.
func replace(ctx context.Context, s *suspect, path string, cfg Config, why string) (Recovered, error) {
	found, err := scan(ctx, s, s.size, cfg.Sealer)
	if err != nil {
		return Recovered{}, err
	}
	saved := plan(found, cfg)
	sum, err := s.sum()
	if err != nil {
		return Recovered{}, err
	}
	device, generation := cfg.Device, uint64(0)
	if saved.card != nil {
		device, generation = stead.DeviceID(saved.card.Device), saved.card.Generation
	}
	evidence, err := s.keep(device, generation, sum, cfg.Now())
	if err != nil {
		return Recovered{}, err
	}
	r := Recovered{Why: why, Evidence: evidence, SHA256: sum, Salvaged: len(saved.keep), Missing: saved.missing, Sealed: saved.sealed}
	tmp, err := prepareSparing(s.path, path, cfg, beginning{generation: generation + 1, recovered: &r, first: saved.facts(why, sum),
		proof: saved.proof, rescue: func(f *file) error { return saved.into(f, s) }, owed: r.owes(saved.owed, filepath.Dir(path))})
	if err != nil {
		return r, err
	}
	defer func() { _ = os.Remove(tmp) }()
	if runtime.GOOS == "windows" { // where an open file keeps its name
		s.release()
	}
	if err := swap(s.path, tmp, path); err != nil {
		return r, err
	}
	return r, protect(filepath.Join(filepath.Dir(path), evidenceFolder, evidence))
}

// prepareSparing is prepare; where the disk is full, the reserve of the file before is given up for it.
func prepareSparing(from, path string, cfg Config, b beginning) (string, error) {
	tmp, err := prepare(path, cfg, b)
	if noSpace(err) && spendReserve(from) {
		tmp, err = prepare(path, cfg, b)
	}
	return tmp, err
}

// swap gives the fresh file its name, and takes the damaged one's away when that is another.
func swap(from, tmp, path string) error {
	if from == path {
		return errors.Join(os.Rename(tmp, path), syncFolder(filepath.Dir(path)))
	}
	if err := publish(tmp, path); err != nil {
		return err
	}
	spendReserve(from) // the fresh one has its own
	return errors.Join(os.Remove(from), syncFolder(filepath.Dir(from)))
}

// setAside ends a Succeed that was interrupted before the former file lost its name.
func setAside(ctx context.Context, from string, cfg Config) error {
	if !exists(from) {
		return nil
	}
	s, err := hold(ctx, from)
	if err != nil {
		return err
	}
	defer s.release()
	sum, err := s.sum()
	if err != nil {
		return openError(from, err)
	}
	name, err := s.keep(cfg.Device, 0, sum, cfg.Now())
	if err == nil {
		err = errors.Join(os.Remove(from), syncFolder(filepath.Dir(from)))
	}
	if err == nil {
		err = protect(filepath.Join(filepath.Dir(from), evidenceFolder, name))
	}
	return openError(from, err)
}

// owes lists the evidence that the platform is to read: what the damaged file still owed, and that file itself.
func (r Recovered) owes(before [][]byte, folder string) [][]byte {
	var names [][]byte
	for _, n := range before {
		if string(n) != r.Evidence && exists(filepath.Join(folder, evidenceFolder, string(n))) {
			names = append(names, n)
		}
	}
	if r.Sealed {
		names = append(names, []byte(r.Evidence))
	}
	return names
}

func (r Recovered) encode() ([]byte, error) { return cbor.Marshal(r) }

func decodeRecovered(b []byte) (*Recovered, error) {
	if b == nil {
		return nil, nil
	}
	r := new(Recovered)
	return r, cbor.Unmarshal(b, r)
}

// after is what the file was begun after.
func (f *file) after() Recovered {
	if f.recovered == nil {
		return Recovered{}
	}
	return *f.recovered
}

// firstRecord writes the record that begins an epoch after a recovery.
func (f *file) firstRecord(tx *bolt.Tx, cfg Config, facts audit.Body) error {
	rec := record(Entry{Kind: audit.DeviceRecovery, EventID: stead.NewEventID(), Body: facts}, f.head)
	rec.WallMS, rec.BootID, rec.KeyID = cfg.Now().UnixMilli(), cfg.BootID, cfg.KeyID
	env, err := rec.Encode()
	if err != nil {
		return err
	}
	value, err := f.seal(rec.Seq, stored{Envelope: env})
	if err != nil {
		return err
	}
	f.head.Seq, f.head.Leaf = rec.Seq, audit.Leaf(env)
	return tx.Bucket(pendingBucket).Put(seqKey(rec.Seq), value)
}

// complete fills in what may be left out, or says what may not.
func (cfg Config) complete() (Config, error) {
	key, ok := cfg.Signer.Public().(ed25519.PublicKey)
	if !ok || audit.KeyID(key) != cfg.KeyID {
		return cfg, errors.New("outbox: the key id is not that of an Ed25519 signer")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.BootID == [16]byte{} {
		rand.Read(cfg.BootID[:]) // never fails since Go 1.24
	}
	return cfg, nil
}

// recovering reports that the platform has not acknowledged the record of the recovery yet.
func (f *file) recovering() bool { return f.recovered != nil && f.acked.Seq == 0 }

// Recovered says what this outbox was begun after; false for one that never was damaged.
func (o *Outbox) Recovered() (Recovered, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.file == nil || o.file.recovered == nil {
		return Recovered{}, false
	}
	return *o.file.recovered, true
}

// settle ends what a recovery left undone when it was cut off at its last step.
func settle(path string, f *file) error {
	if f.recovered == nil || f.recovered.Evidence == "" {
		return nil
	}
	err := protect(filepath.Join(filepath.Dir(path), evidenceFolder, f.recovered.Evidence))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody took it away; that is theirs to answer for
	}
	return err
}

// walkSalvaged checks that every salvaged record opens and is what its place says.
func (f *file) walkSalvaged(ctx context.Context, b *bolt.Bucket) error {
	c := b.Cursor()
	n := 0
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if _, _, err := f.salvagedAt(k, v); err != nil {
			return err
		}
		f.salvaged++
	}
	return nil
}

// salvagedAt opens one salvaged record.
func (f *file) salvagedAt(k, v []byte) (stored, audit.Record, error) {
	if len(k) != 24 {
		return stored{}, audit.Record{}, damaged("a salvaged record under %x", k)
	}
	epoch, seq := audit.Epoch(k[:16]), seqOf(k[16:])
	s, err := audit.OpenRecord(f.aead, f.generation, epoch, seq, v)
	if err != nil {
		return stored{}, audit.Record{}, damaged("salvaged %w", err)
	}
	rec, err := audit.Decode(s.Envelope)
	if err == nil {
		err = rec.Check(s.Texts)
	}
	if err != nil || rec.Epoch != epoch || rec.Seq != seq {
		return stored{}, audit.Record{}, damaged("salvaged record %d: %w", seq, errors.Join(err, errors.New("not the one of its place")))
	}
	return stored(s), rec, nil
}
