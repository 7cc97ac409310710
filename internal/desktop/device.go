package desktop

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stead/internal/api"
	"stead/internal/audit"
	"stead/internal/stead"

	"stead/internal/desktop/outbox"
	"stead/internal/desktop/session"
	"stead/internal/desktop/vault"
)

// device is the file that says as what this installation is enrolled. Who reads and writes it holds beginning.
type device struct {
	ID        stead.DeviceID `json:"device_id"`
	Instance  string         `json:"platform_instance"`
	Key       string         `json:"key_id"`               // of the device key it was enrolled with, hex
	OutboxKey []byte         `json:"outbox_key,omitempty"` // the platform's, as it was announced at the enrolment
	Outbox    bool           `json:"outbox,omitempty"`     // an outbox of this device has existed
	Former    stead.DeviceID `json:"former,omitempty"`     // what this installation was before its keyring lost the keys, while that one's outbox is to be ended
	Trust     trust          `json:"log_trust,omitzero"`   // pinned when it was enrolled
}

// trust is outbox.Trust in the device file.
type trust struct {
	Origin       string   `json:"origin"`
	LogKeys      []string `json:"log_keys"`
	RecoveryKeys []string `json:"recovery_keys,omitempty"`
}

func publicKey(s *vault.Signer) ed25519.PublicKey { return s.Public().(ed25519.PublicKey) }

// valid reports whether the id is 32 hex digits in their one spelling: it becomes part of a file's name.
func valid(id stead.DeviceID) bool {
	b, err := hex.DecodeString(string(id))
	return err == nil && len(b) == 16 && strings.ToLower(string(id)) == string(id)
}

func (d *Desk) deviceFile() string { return filepath.Join(d.cfg.DataDir, "device.json") }

// load reads what the file says; a device without id when there is none.
func (d *Desk) load() (dev device, err error) {
	raw, err := os.ReadFile(d.deviceFile())
	if errors.Is(err, fs.ErrNotExist) {
		return device{}, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &dev)
	}
	if err == nil && (!valid(dev.ID) || dev.Former != "" && !valid(dev.Former)) {
		err = errors.New("the device id is not one")
	}
	if err == nil {
		err = outbox.Trust(dev.Trust).Valid()
	}
	if err != nil {
		return device{}, stead.Errorf(stead.CodeOutboxDamaged, "device.json").Because(err)
	}
	return dev, nil
}

// keyID names the device key that the keyring holds now.
func (d *Desk) keyID() string {
	id := d.signer.KeyID()
	return hex.EncodeToString(id[:])
}

// enrolled is this device at this platform; its id is empty when a code is needed. A keyring that was reset holds
// another device key, and this installation is another device from then on.
func (d *Desk) enrolled(ctx context.Context) (device, error) {
	dev, err := d.load()
	if err != nil {
		return device{}, err
	}
	here := dev.ID != "" && dev.Instance == d.platform().Instance
	if here && dev.Key == d.keyID() {
		if dev.Trust.Origin != "" {
			return dev, nil
		}
		return d.pin(ctx, dev) // it was cut off before it could
	}
	if here {
		d.cfg.Log.Warn("the keyring lost the key this device was enrolled with; it has to be enrolled anew", "device", dev.ID)
	}
	if d.cfg.EnrolmentCode == nil {
		return device{}, nil
	}
	code, err := d.cfg.EnrolmentCode(ctx)
	if err != nil {
		return device{}, err
	}
	return d.enrol(ctx, code)
}

// Enrol enrols this device with a code and goes on as Connect does.
func (d *Desk) Enrol(ctx context.Context, code string) (Stage, *api.Me, error) {
	alone, leave, err := d.alone(ctx)
	if err != nil {
		return StageSignedOut, nil, err
	}
	_, err = d.enrol(alone, code)
	leave()
	if err != nil {
		return StageEnrol, nil, err
	}
	return d.Connect(ctx)
}

func (d *Desk) enrol(ctx context.Context, code string) (device, error) {
	public := publicKey(d.signer)
	claim := audit.EnrolClaim{Code: stead.Secret(code), PublicKey: public, Name: d.cfg.DeviceName}
	signature, err := claim.Sign(d.signer)
	if err != nil {
		return device{}, err
	}
	id, err := d.Client.Enrol(ctx, api.EnrolRequest{Code: code, Name: d.cfg.DeviceName, PublicKey: public, Signature: signature})
	if err != nil {
		return device{}, err
	}
	if !valid(id) {
		return device{}, stead.Errorf(stead.CodeVersion, "device id")
	}
	dev := device{ID: id, Instance: d.platform().Instance, Key: d.keyID()}
	if before, err := d.load(); err == nil && before.ID != dev.ID && before.Instance == dev.Instance && before.Key != dev.Key {
		dev.Former = before.Former
		if _, err := os.Lstat(d.outboxFile(before.ID)); err == nil {
			dev.Former = before.ID
		}
	}
	if err := d.save(dev); err != nil { // first: the code is used up
		return device{}, err
	}
	return d.pin(ctx, dev)
}

// pin keeps whose word counts about the platform's log from now on.
func (d *Desk) pin(ctx context.Context, dev device) (device, error) {
	pinned, outboxKey, err := d.Client.LogTrust(ctx)
	if err != nil {
		return device{}, err
	}
	if err := pinned.Valid(); err != nil || pinned.Origin == "" {
		return device{}, stead.Errorf(stead.CodeVersion, "log keys").Because(err)
	}
	dev.Trust, dev.OutboxKey = trust(pinned), outboxKey
	return dev, d.save(dev)
}

func (d *Desk) save(dev device) error {
	raw, err := json.Marshal(dev)
	if err == nil {
		err = session.WriteDurably(d.deviceFile(), raw)
	}
	if err != nil {
		return stead.Errorf(stead.CodeDataReadOnly, "%s", d.cfg.DataDir).Because(err)
	}
	return nil
}

// outboxFile is one file per device id: enrolled anew, the device begins a new chain.
func (d *Desk) outboxFile(id stead.DeviceID) string {
	return filepath.Join(d.cfg.DataDir, "outbox-"+string(id)+".db")
}

// openOutbox opens the device's outbox. One that is damaged, gone, or of the device this installation was before its
// keyring was reset, is recovered first: loudly, since it took records with it that nobody may ever have seen.
func (d *Desk) openOutbox(ctx context.Context, dev device) (*outbox.Outbox, error) {
	sealer, err := d.vault.Sealer(ctx, "outbox")
	if err != nil {
		return nil, err
	}
	path := d.outboxFile(dev.ID)
	cfg := outbox.Config{Device: dev.ID, Signer: d.signer, KeyID: d.signer.KeyID(), Sealer: sealer, PlatformKey: dev.OutboxKey, Trust: outbox.Trust(dev.Trust)}
	_, err = os.Lstat(path)
	switch gone := errors.Is(err, fs.ErrNotExist); {
	case dev.Former != "":
		err = d.recovered(outbox.Succeed(ctx, d.outboxFile(dev.Former), path, cfg))
	case gone && dev.Outbox:
		err = d.recovered(outbox.Recover(ctx, path, cfg))
	default:
		err = nil // a first one, or one that is there
	}
	if err != nil {
		return nil, err
	}
	ob, err := outbox.Open(ctx, path, cfg)
	if stead.CodeOf(err) == stead.CodeOutboxDamaged {
		d.cfg.Log.Error("the outbox is damaged", "err", err)
		if err := d.recovered(outbox.Recover(ctx, path, cfg)); err != nil {
			return nil, err
		}
		ob, err = outbox.Open(ctx, path, cfg)
	}
	if err != nil {
		return nil, err
	}
	ob.ObserveServerTime(d.platform().ServerTime)
	if dev.Former != "" || !dev.Outbox {
		dev.Outbox, dev.Former = true, ""
		if err := d.save(dev); err != nil {
			return nil, errors.Join(err, ob.Close())
		}
	}
	return ob, nil
}

// recovered logs what a recovery found.
func (d *Desk) recovered(r outbox.Recovered, err error) error {
	if err == nil && r.Why != "" {
		d.cfg.Log.Error("the outbox was set up anew", "why", r.Why, "evidence", r.Evidence, "sha256", hex.EncodeToString(r.SHA256[:]),
			"salvaged", r.Salvaged, "missing", r.Missing, "only_the_platform_can_read_it", r.Sealed)
	}
	return err
}

// Recovery is what the window says of an outbox that was damaged or lost. It stays until the person has read it; what
// is kept of it is never taken away.
type Recovery struct {
	outbox.Recovered
	File      string // where the damaged file is kept; empty when there was none
	Confirmed bool   // the platform has acknowledged it, and sessions can be started again
}

// Recovery says what the outbox that is in use was begun after; false when nothing was ever wrong with it, or while
// nobody works.
func (d *Desk) Recovery() (Recovery, bool) {
	w, err := d.working()
	if err != nil {
		return Recovery{}, false
	}
	r, ok := w.outbox.Recovered()
	out := Recovery{Recovered: r, Confirmed: ok && !w.outbox.State().Recovering}
	if r.Evidence != "" {
		out.File = filepath.Join(d.cfg.DataDir, "evidence", r.Evidence)
	}
	return out, ok
}
