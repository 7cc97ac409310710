-- +goose Up
-- What is said about the log beside its checkpoints: signed notes, the oldest first.
CREATE TABLE statements (
  id   INTEGER PRIMARY KEY CHECK (id > 0),
  kind TEXT NOT NULL CHECK (kind IN ('handover', 'restored')),
  note TEXT NOT NULL UNIQUE,
  at   INTEGER NOT NULL
) STRICT;

-- Checkpoints that a witness signed as well.
CREATE TABLE cosignatures (
  size    INTEGER NOT NULL CHECK (size >= 0),
  witness TEXT NOT NULL,
  note    TEXT NOT NULL,
  at      INTEGER NOT NULL,
  UNIQUE (size, witness)
) STRICT;

-- The triggers before an insert also keep INSERT OR REPLACE from removing rows without asking the delete triggers.
-- +goose StatementBegin
CREATE TRIGGER statements_at_the_end BEFORE INSERT ON statements
BEGIN
  SELECT RAISE(ABORT, 'taken: statement') WHERE EXISTS (SELECT 1 FROM statements WHERE id = NEW.id OR note = NEW.note);
  SELECT RAISE(ABORT, 'statements are added at the end') WHERE NEW.id BETWEEN 0 AND (SELECT max(id) FROM statements);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statements_no_update BEFORE UPDATE ON statements
BEGIN SELECT RAISE(ABORT, 'statements are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statements_no_delete BEFORE DELETE ON statements
BEGIN SELECT RAISE(ABORT, 'statements are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER cosignatures_no_replace BEFORE INSERT ON cosignatures
WHEN EXISTS (SELECT 1 FROM cosignatures WHERE size = NEW.size AND witness = NEW.witness)
BEGIN SELECT RAISE(ABORT, 'taken: cosignature'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER cosignatures_no_update BEFORE UPDATE ON cosignatures
BEGIN SELECT RAISE(ABORT, 'cosignatures are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER cosignatures_no_delete BEFORE DELETE ON cosignatures
BEGIN SELECT RAISE(ABORT, 'cosignatures are not deleted'); END;
-- +goose StatementEnd
