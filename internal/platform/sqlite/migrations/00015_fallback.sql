-- +goose Up
-- How a session reached its browser; and, where no browser could be controlled, the one-time code with which the member
-- app gets the credential. The code stays after its use, as a hash: that is how a second use is told from a wrong code.
ALTER TABLE sessions ADD COLUMN mode TEXT NOT NULL DEFAULT '' CHECK (mode IN ('', 'pipe', 'fallback'));
ALTER TABLE sessions ADD COLUMN code_hash BLOB CHECK (code_hash IS NULL OR (length(code_hash) = 32 AND mode = 'fallback'));
ALTER TABLE sessions ADD COLUMN code_until INTEGER CHECK ((code_until IS NULL) = (code_hash IS NULL));
CREATE UNIQUE INDEX sessions_by_code ON sessions (code_hash) WHERE code_hash IS NOT NULL;

-- Both are decided once, before the session is live.
-- +goose StatementBegin
CREATE TRIGGER sessions_mode BEFORE UPDATE ON sessions
WHEN (NEW.mode IS NOT OLD.mode AND (OLD.mode <> '' OR OLD.state <> 'started'))
  OR ((NEW.code_hash IS NOT OLD.code_hash OR NEW.code_until IS NOT OLD.code_until) AND (OLD.code_hash IS NOT NULL OR OLD.state <> 'started'))
BEGIN SELECT RAISE(ABORT, 'how a session was opened does not change'); END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER sessions_mode_begin BEFORE INSERT ON sessions WHEN NEW.mode <> ''
BEGIN SELECT RAISE(ABORT, 'a session begins without a mode'); END;
-- +goose StatementEnd
