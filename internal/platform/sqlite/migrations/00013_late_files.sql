-- +goose Up
-- One file at a time waits of each device, with where its verified chain ends so far. What waits by the old layout was
-- not verified; its device still has it and sends it again.
DROP TABLE late_records;

CREATE TABLE late_files (
  device     TEXT PRIMARY KEY REFERENCES devices (id),
  epoch      BLOB NOT NULL CHECK (length(epoch) = 16),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  seq        INTEGER NOT NULL CHECK (seq >= 0), -- the last record that was verified
  leaf       BLOB NOT NULL CHECK (length(leaf) = 32),
  head_seq   INTEGER NOT NULL CHECK (head_seq > 0), -- where the device signed that it ends
  head_leaf  BLOB NOT NULL CHECK (length(head_leaf) = 32),
  bytes      INTEGER NOT NULL CHECK (bytes >= 0), -- of all sealed records that came
  touched_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE late_records (
  device TEXT NOT NULL REFERENCES late_files (device) ON DELETE CASCADE,
  seq    INTEGER NOT NULL CHECK (seq > 0),
  sealed BLOB NOT NULL,
  PRIMARY KEY (device, seq)
) STRICT, WITHOUT ROWID;
