-- +goose Up
-- Devices' signatures over the heads of their chains, for whoever checks them without the platform. Of each chain: over
-- the last record that was taken in (held), and over the last one that the device said it has.
CREATE TABLE signed_heads (
  device    TEXT NOT NULL REFERENCES devices (id),
  epoch     BLOB NOT NULL CHECK (length(epoch) = 16),
  held      INTEGER NOT NULL CHECK (held IN (0, 1)),
  seq       INTEGER NOT NULL CHECK (seq > 0),
  leaf      BLOB NOT NULL CHECK (length(leaf) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  PRIMARY KEY (device, epoch, held)
) STRICT, WITHOUT ROWID;

-- A chain grows: what was signed is replaced by what was signed over more of it, and not otherwise.
-- +goose StatementBegin
CREATE TRIGGER signed_heads_grow BEFORE UPDATE ON signed_heads
WHEN NEW.device IS NOT OLD.device OR NEW.epoch IS NOT OLD.epoch OR NEW.held IS NOT OLD.held OR NEW.seq <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'a signed head is replaced by one further on'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER signed_heads_no_replace BEFORE INSERT ON signed_heads
WHEN EXISTS (SELECT 1 FROM signed_heads WHERE device = NEW.device AND epoch = NEW.epoch AND held = NEW.held AND seq >= NEW.seq)
BEGIN SELECT RAISE(ABORT, 'taken: signed head'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER signed_heads_no_delete BEFORE DELETE ON signed_heads
BEGIN SELECT RAISE(ABORT, 'signed heads are not deleted'); END;
-- +goose StatementEnd
