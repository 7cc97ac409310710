-- +goose Up
-- Sealed records of devices that lost their keys, until the last of a file has arrived. They come and go; what counts
-- is in the intake.
CREATE TABLE late_records (
  device TEXT NOT NULL REFERENCES devices (id),
  epoch  BLOB NOT NULL CHECK (length(epoch) = 16),
  seq    INTEGER NOT NULL CHECK (seq > 0),
  sealed BLOB NOT NULL,
  PRIMARY KEY (device, epoch, seq)
) STRICT, WITHOUT ROWID;
