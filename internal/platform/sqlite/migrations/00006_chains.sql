-- +goose Up
-- What the platform knows of devices' chains beside their records.

-- Records that could not be taken in as records, kept as evidence byte by byte. Each holds its place in its device's
-- chain; a record of the platform's (chain.bridged) says so in the log.
CREATE TABLE quarantined (
  device       BLOB NOT NULL CHECK (length(device) = 16),
  epoch        BLOB NOT NULL CHECK (length(epoch) = 16),
  seq          INTEGER NOT NULL CHECK (seq > 0),
  leaf         BLOB NOT NULL CHECK (length(leaf) = 32),
  envelope     BLOB NOT NULL,
  said         TEXT NOT NULL, -- with what the device was refused before, by its own account
  received_at  INTEGER NOT NULL,
  delivered_by TEXT NOT NULL,
  PRIMARY KEY (device, epoch, seq)
) STRICT, WITHOUT ROWID;

-- A place in a chain is held by a record or by one in quarantine. These triggers also keep INSERT OR REPLACE from
-- removing rows without asking the delete triggers.
-- +goose StatementBegin
CREATE TRIGGER quarantined_no_replace BEFORE INSERT ON quarantined
WHEN EXISTS (SELECT 1 FROM quarantined WHERE device = NEW.device AND epoch = NEW.epoch AND seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM intake WHERE seq > 0 AND device = NEW.device AND epoch = NEW.epoch AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'taken: quarantined record'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER intake_not_quarantined BEFORE INSERT ON intake
WHEN EXISTS (SELECT 1 FROM quarantined WHERE device = NEW.device AND epoch = NEW.epoch AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'taken: the place of a quarantined record'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER quarantined_no_update BEFORE UPDATE ON quarantined
BEGIN SELECT RAISE(ABORT, 'evidence is not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER quarantined_no_delete BEFORE DELETE ON quarantined
BEGIN SELECT RAISE(ABORT, 'evidence is not deleted'); END;
-- +goose StatementEnd

-- What a device last said of each of its chains, signed by it, and when it was heard. The chain with the greatest
-- turn is the one it began last.
CREATE TABLE device_contacts (
  device     TEXT NOT NULL REFERENCES devices (id),
  epoch      BLOB NOT NULL CHECK (length(epoch) = 16),
  turn       INTEGER NOT NULL CHECK (turn > 0),
  seq        INTEGER NOT NULL CHECK (seq >= 0),
  leaf       BLOB NOT NULL CHECK (length(leaf) = 32),
  claimed_at INTEGER NOT NULL, -- when it said so first
  seen_at    INTEGER NOT NULL,
  PRIMARY KEY (device, epoch),
  UNIQUE (device, turn)
) STRICT, WITHOUT ROWID;

-- Signed heads that contradict what the platform holds: each once, with the signature that proves who said so.
CREATE TABLE device_alarms (
  device    TEXT NOT NULL REFERENCES devices (id),
  epoch     BLOB NOT NULL CHECK (length(epoch) = 16),
  seq       INTEGER NOT NULL CHECK (seq >= 0),
  leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
  signature BLOB NOT NULL,
  why       TEXT NOT NULL,
  at        INTEGER NOT NULL,
  PRIMARY KEY (device, epoch, seq, leaf)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER device_alarms_no_replace BEFORE INSERT ON device_alarms
WHEN EXISTS (SELECT 1 FROM device_alarms WHERE device = NEW.device AND epoch = NEW.epoch AND seq = NEW.seq AND leaf = NEW.leaf)
BEGIN SELECT RAISE(ABORT, 'taken: alarm'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_alarms_no_update BEFORE UPDATE ON device_alarms
BEGIN SELECT RAISE(ABORT, 'alarms are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_alarms_no_delete BEFORE DELETE ON device_alarms
BEGIN SELECT RAISE(ABORT, 'alarms are not deleted'); END;
-- +goose StatementEnd

-- A revoked device stays revoked: neither the time is taken back nor the device replaced by one that is good.
-- +goose StatementBegin
CREATE TRIGGER devices_stay_revoked BEFORE UPDATE ON devices
WHEN OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NOT OLD.revoked_at
BEGIN SELECT RAISE(ABORT, 'a revoked device stays revoked'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER devices_fixed BEFORE UPDATE ON devices
WHEN NEW.id IS NOT OLD.id OR NEW.public_key IS NOT OLD.public_key OR NEW.enrolled_by IS NOT OLD.enrolled_by OR NEW.enrolled_at IS NOT OLD.enrolled_at
BEGIN SELECT RAISE(ABORT, 'what a device was enrolled with does not change'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER devices_no_replace BEFORE INSERT ON devices
WHEN EXISTS (SELECT 1 FROM devices WHERE id = NEW.id OR public_key = NEW.public_key)
BEGIN SELECT RAISE(ABORT, 'taken: device'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER devices_no_delete BEFORE DELETE ON devices
BEGIN SELECT RAISE(ABORT, 'devices are not deleted'); END;
-- +goose StatementEnd

CREATE INDEX devices_by_enrolment ON devices (enrolled_at, id);
CREATE INDEX sessions_open_by_device ON sessions (device) WHERE state <> 'ended';
