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
	ID       stead.DeviceID `json:"device_id"`
	Instance string         `json:"platform_instance"`
	Outbox   bool           `json:"outbox,omitempty"`         // an outbox of this device has existed
	Missing  bool           `json:"outbox_missing,omitempty"` // it was found gone, and that is not recorded yet
	Trust    trust          `json:"log_trust,omitzero"`       // pinned when it was enrolled
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

// enrolled is this device at this platform; its id is empty when a code is needed.
func (d *Desk) enrolled(ctx context.Context) (device, error) {
	var dev device
	raw, err := os.ReadFile(d.deviceFile())
	if err == nil {
		err = json.Unmarshal(raw, &dev)
	}
	if err == nil && !valid(dev.ID) {
		err = errors.New("the device id is not one")
	}
	if err == nil {
		err = outbox.Trust(dev.Trust).Valid()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return device{}, stead.Errorf(stead.CodeOutboxDamaged, "device.json").Because(err)
	}
	if err == nil && dev.Instance == d.platform().Instance {
		if dev.Trust.Origin != "" {
			return dev, nil
		}
		return d.pin(ctx, dev) // it was enrolled by a Stead that pinned nothing, or cut off before it could
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
	dev := device{ID: id, Instance: d.platform().Instance}
	if err := d.save(dev); err != nil { // first: the code is used up
		return device{}, err
	}
	return d.pin(ctx, dev)
}

// pin keeps whose word counts about the platform's log from now on.
func (d *Desk) pin(ctx context.Context, dev device) (device, error) {
	pinned, err := d.Client.LogTrust(ctx)
	if err != nil {
		return device{}, err
	}
	if err := pinned.Valid(); err != nil || pinned.Origin == "" {
		return device{}, stead.Errorf(stead.CodeVersion, "log keys").Because(err)
	}
	dev.Trust = trust(pinned)
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

// openOutbox opens the device's outbox. One that existed and is gone took records with it that nobody may ever have
// seen; the first record of the fresh one says so, whatever is cut off in between.
func (d *Desk) openOutbox(ctx context.Context, dev device) (*outbox.Outbox, error) {
	// One file per device id: enrolled anew, the device begins a new chain and the old file stays as it is.
	path := filepath.Join(d.cfg.DataDir, "outbox-"+string(dev.ID)+".db")
	if _, err := os.Lstat(path); dev.Outbox && !dev.Missing && errors.Is(err, fs.ErrNotExist) {
		dev.Missing = true
		if err := d.save(dev); err != nil {
			return nil, err
		}
	}
	sealer, err := d.vault.Sealer(ctx, "outbox")
	if err != nil {
		return nil, err
	}
	ob, err := outbox.Open(ctx, path, outbox.Config{Device: dev.ID, Signer: d.signer, KeyID: d.signer.KeyID(), Sealer: sealer,
		Trust: outbox.Trust(dev.Trust)})
	if err != nil {
		return nil, err
	}
	ob.ObserveServerTime(d.platform().ServerTime)
	if dev.Missing && ob.State().Head == 0 { // else it was recorded, and only the note of it is still to be taken away
		_, err = ob.Append(ctx, outbox.Entry{Kind: audit.DeviceRecovery, Body: audit.Body{"why": "outbox_missing"}})
	}
	if err == nil && (dev.Missing || !dev.Outbox) {
		dev.Outbox, dev.Missing = true, false
		err = d.save(dev)
	}
	if err != nil {
		return nil, errors.Join(err, ob.Close())
	}
	return ob, nil
}
