-- +goose Up
-- The Merkle log over the intake (RFC 6962; positions and stored hashes as golang.org/x/mod/sumdb/tlog counts them).
-- The sequencer gives each record its position; intake itself is not touched. All four tables only grow, each at its end.
CREATE TABLE log_entries (
  position INTEGER PRIMARY KEY CHECK (position >= 0),
  intake   INTEGER NOT NULL UNIQUE REFERENCES intake (idx)
) STRICT;

CREATE TABLE log_hashes (
  idx  INTEGER PRIMARY KEY CHECK (idx >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Signed notes (c2sp.org/tlog-checkpoint), one for each size that was signed.
CREATE TABLE checkpoints (
  size INTEGER PRIMARY KEY CHECK (size >= 0),
  note TEXT NOT NULL,
  at   INTEGER NOT NULL
) STRICT;

-- Verifier keys of everybody who ever signed a checkpoint, the oldest first.
CREATE TABLE log_keys (
  id  INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,
  at  INTEGER NOT NULL
) STRICT;

-- The triggers before an insert also keep INSERT OR REPLACE from removing rows without asking the delete triggers.
-- +goose StatementBegin
CREATE TRIGGER log_entries_at_the_end BEFORE INSERT ON log_entries
BEGIN
  SELECT RAISE(ABORT, 'taken: log entry') WHERE EXISTS (SELECT 1 FROM log_entries WHERE position = NEW.position OR intake = NEW.intake);
  SELECT RAISE(ABORT, 'the log grows at its end') WHERE NEW.position <> (SELECT coalesce(max(position) + 1, 0) FROM log_entries);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_entries_no_update BEFORE UPDATE ON log_entries
BEGIN SELECT RAISE(ABORT, 'log entries are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_entries_no_delete BEFORE DELETE ON log_entries
BEGIN SELECT RAISE(ABORT, 'log entries are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_hashes_at_the_end BEFORE INSERT ON log_hashes
BEGIN
  SELECT RAISE(ABORT, 'taken: log hash') WHERE EXISTS (SELECT 1 FROM log_hashes WHERE idx = NEW.idx);
  SELECT RAISE(ABORT, 'the log grows at its end') WHERE NEW.idx <> (SELECT coalesce(max(idx) + 1, 0) FROM log_hashes);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_hashes_no_update BEFORE UPDATE ON log_hashes
BEGIN SELECT RAISE(ABORT, 'log hashes are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_hashes_no_delete BEFORE DELETE ON log_hashes
BEGIN SELECT RAISE(ABORT, 'log hashes are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER checkpoints_at_the_end BEFORE INSERT ON checkpoints
BEGIN
  SELECT RAISE(ABORT, 'taken: checkpoint') WHERE EXISTS (SELECT 1 FROM checkpoints WHERE size = NEW.size);
  SELECT RAISE(ABORT, 'the log grows at its end') WHERE NEW.size < (SELECT max(size) FROM checkpoints);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_keys_no_replace BEFORE INSERT ON log_keys
WHEN EXISTS (SELECT 1 FROM log_keys WHERE id = NEW.id OR key = NEW.key)
BEGIN SELECT RAISE(ABORT, 'taken: log key'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_keys_no_update BEFORE UPDATE ON log_keys
BEGIN SELECT RAISE(ABORT, 'log keys are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER log_keys_no_delete BEFORE DELETE ON log_keys
BEGIN SELECT RAISE(ABORT, 'log keys are not deleted'); END;
-- +goose StatementEnd
