-- +goose Up
-- The checks and triggers below repeat the rules of a session, so that neither a mistake in our code nor a hand at
-- the database's shell can rewrite what happened.
CREATE TABLE sessions (
  id               TEXT PRIMARY KEY NOT NULL,
  agent            TEXT NOT NULL REFERENCES staff (id),
  agent_name       TEXT NOT NULL,
  member           TEXT NOT NULL REFERENCES members (id),
  member_name      TEXT NOT NULL,
  member_email     TEXT NOT NULL,
  account          TEXT NOT NULL,
  device           TEXT NOT NULL,
  state            TEXT NOT NULL CHECK (state IN ('started', 'live', 'ended')),
  scope            TEXT NOT NULL,
  reason_category  TEXT NOT NULL,
  reason_text      TEXT NOT NULL,
  ticket           TEXT NOT NULL,
  consent_attested INTEGER NOT NULL CHECK (consent_attested IN (0, 1)),
  consent_how      TEXT NOT NULL,
  consent_at       INTEGER,
  started_at       INTEGER NOT NULL,
  expires_at       INTEGER NOT NULL CHECK (expires_at > started_at AND expires_at <= started_at + 1200000), -- twenty minutes
  last_seen        INTEGER,
  opened_at        INTEGER,
  ended_at         INTEGER,
  cause            TEXT NOT NULL DEFAULT '',
  ended_by         TEXT NOT NULL DEFAULT '',
  note             TEXT NOT NULL DEFAULT '',
  note_at          INTEGER,
  request_key      BLOB NOT NULL CHECK (length(request_key) = 16),
  request_hash     BLOB NOT NULL CHECK (length(request_hash) = 32),
  handoff_hash     BLOB CHECK (length(handoff_hash) = 32),
  UNIQUE (agent, request_key),
  CHECK (state <> 'live' OR (opened_at IS NOT NULL AND last_seen IS NOT NULL)),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL) AND (state = 'ended') = (cause <> '')),
  CHECK (note_at IS NULL OR state = 'ended'),
  CHECK (note = '' OR note_at IS NOT NULL),
  CHECK (handoff_hash IS NULL OR state = 'started')
) STRICT;
CREATE UNIQUE INDEX sessions_one_open ON sessions (agent) WHERE state <> 'ended';
CREATE INDEX sessions_by_start ON sessions (started_at, id);
CREATE INDEX sessions_by_agent ON sessions (agent, started_at, id);
CREATE INDEX sessions_by_member ON sessions (member, started_at, id);
CREATE INDEX sessions_owed ON sessions (agent, ended_at) WHERE state = 'ended' AND note_at IS NULL;

-- +goose StatementBegin
CREATE TRIGGER sessions_begin BEFORE INSERT ON sessions WHEN NEW.state <> 'started'
BEGIN SELECT RAISE(ABORT, 'a session begins as started'); END;
-- +goose StatementEnd

-- INSERT OR REPLACE would remove rows without asking a delete trigger; so nothing may stand where a row goes in.
-- +goose StatementBegin
CREATE TRIGGER sessions_no_replace BEFORE INSERT ON sessions
WHEN EXISTS (SELECT 1 FROM sessions WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM sessions WHERE agent = NEW.agent AND request_key = NEW.request_key)
  OR EXISTS (SELECT 1 FROM sessions WHERE agent = NEW.agent AND state <> 'ended')
BEGIN SELECT RAISE(ABORT, 'taken: session'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_no_delete BEFORE DELETE ON sessions
BEGIN SELECT RAISE(ABORT, 'sessions are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_fixed BEFORE UPDATE ON sessions
WHEN NEW.id IS NOT OLD.id OR NEW.agent IS NOT OLD.agent OR NEW.agent_name IS NOT OLD.agent_name
  OR NEW.member IS NOT OLD.member OR NEW.member_name IS NOT OLD.member_name
  OR NEW.member_email IS NOT OLD.member_email OR NEW.account IS NOT OLD.account OR NEW.device IS NOT OLD.device
  OR NEW.reason_category IS NOT OLD.reason_category OR NEW.reason_text IS NOT OLD.reason_text
  OR NEW.ticket IS NOT OLD.ticket OR NEW.consent_attested IS NOT OLD.consent_attested
  OR NEW.consent_how IS NOT OLD.consent_how OR NEW.consent_at IS NOT OLD.consent_at
  OR NEW.started_at IS NOT OLD.started_at OR NEW.request_key IS NOT OLD.request_key
  OR NEW.request_hash IS NOT OLD.request_hash
BEGIN SELECT RAISE(ABORT, 'what a session began with does not change'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_no_extension BEFORE UPDATE ON sessions WHEN NEW.expires_at > OLD.expires_at
BEGIN SELECT RAISE(ABORT, 'a session is not extended'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_forward BEFORE UPDATE ON sessions
WHEN (OLD.state = 'live' AND NEW.state = 'started') OR (OLD.state = 'ended' AND NEW.state <> 'ended')
BEGIN SELECT RAISE(ABORT, 'a session does not go back'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER sessions_ended BEFORE UPDATE ON sessions
WHEN OLD.state = 'ended' AND (OLD.note_at IS NOT NULL OR NEW.note_at IS NULL
  OR NEW.scope IS NOT OLD.scope OR NEW.expires_at IS NOT OLD.expires_at OR NEW.last_seen IS NOT OLD.last_seen
  OR NEW.opened_at IS NOT OLD.opened_at OR NEW.ended_at IS NOT OLD.ended_at OR NEW.cause IS NOT OLD.cause
  OR NEW.ended_by IS NOT OLD.ended_by OR NEW.handoff_hash IS NOT OLD.handoff_hash)
BEGIN SELECT RAISE(ABORT, 'an ended session takes one note and nothing else'); END;
-- +goose StatementEnd

CREATE TABLE notices (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  member      TEXT NOT NULL REFERENCES members (id),
  session     TEXT REFERENCES sessions (id),
  kind        TEXT NOT NULL CHECK (kind IN ('started', 'ended')),
  agent_name  TEXT NOT NULL,
  reason      TEXT NOT NULL,
  cause       TEXT NOT NULL,
  address     TEXT NOT NULL,
  created_at  INTEGER NOT NULL,
  released_at INTEGER,
  read_at     INTEGER,
  CHECK (read_at IS NULL OR released_at IS NOT NULL)
) STRICT;
CREATE INDEX notices_by_member ON notices (member, id) WHERE released_at IS NOT NULL;
CREATE INDEX notices_hidden ON notices (session) WHERE released_at IS NULL;

CREATE TABLE member_notes (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  member  TEXT NOT NULL REFERENCES members (id),
  session TEXT REFERENCES sessions (id),
  author  TEXT NOT NULL,
  kind    TEXT NOT NULL CHECK (kind IN ('reason', 'close_out')),
  text    TEXT NOT NULL,
  at      INTEGER NOT NULL
) STRICT;
CREATE INDEX member_notes_by_member ON member_notes (member, id);
