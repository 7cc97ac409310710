-- +goose Up
CREATE TABLE devices (
  id          TEXT PRIMARY KEY NOT NULL,
  name        TEXT NOT NULL,
  public_key  BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
  enrolled_by TEXT NOT NULL,
  enrolled_at INTEGER NOT NULL,
  revoked_at  INTEGER
) STRICT;

CREATE TABLE device_heads (
  device TEXT NOT NULL REFERENCES devices (id),
  epoch  BLOB NOT NULL CHECK (length(epoch) = 16),
  seq    INTEGER NOT NULL CHECK (seq >= 0),
  leaf   BLOB NOT NULL CHECK (length(leaf) = 32),
  PRIMARY KEY (device, epoch)
) STRICT, WITHOUT ROWID;

-- Single-use codes: only their SHA-256 is here. A used one stays, so that it cannot be given out again.
CREATE TABLE codes (
  kind       TEXT NOT NULL CHECK (kind IN ('enrolment', 'setup')),
  hash       BLOB NOT NULL CHECK (length(hash) = 32),
  expires_at INTEGER,
  taken_at   INTEGER,
  PRIMARY KEY (kind, hash)
) STRICT, WITHOUT ROWID;
