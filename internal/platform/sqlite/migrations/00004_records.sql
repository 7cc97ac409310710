-- +goose Up
-- Records as they arrived. The order of arrival is idx, without gaps because nothing is ever deleted.
CREATE TABLE intake (
  idx          INTEGER PRIMARY KEY,
  event_id     BLOB NOT NULL UNIQUE CHECK (length(event_id) = 16),
  device       BLOB NOT NULL CHECK (length(device) = 16),
  epoch        BLOB NOT NULL CHECK (length(epoch) = 16),
  seq          INTEGER NOT NULL CHECK (seq >= 0), -- 0 for the platform's own
  leaf         BLOB NOT NULL CHECK (length(leaf) = 32),
  envelope     BLOB NOT NULL,
  sealed_texts BLOB,
  texts_of     BLOB CHECK (length(texts_of) = 16),
  kind         TEXT NOT NULL,
  session      TEXT NOT NULL,
  actor        BLOB CHECK (length(actor) = 16),
  subject      BLOB CHECK (length(subject) = 16),
  received_at  INTEGER NOT NULL,
  delivered_by TEXT NOT NULL, -- '' for the platform's own
  doubt        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX intake_by_place ON intake (device, epoch, seq) WHERE seq > 0;
CREATE INDEX intake_by_session ON intake (session, idx) WHERE session <> '';
CREATE INDEX intake_by_actor ON intake (actor, idx);
CREATE INDEX intake_by_kind ON intake (kind, idx);

-- +goose StatementBegin
CREATE TRIGGER intake_no_update BEFORE UPDATE ON intake
BEGIN SELECT RAISE(ABORT, 'records are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER intake_no_delete BEFORE DELETE ON intake
BEGIN SELECT RAISE(ABORT, 'records are not deleted'); END;
-- +goose StatementEnd

-- INSERT OR REPLACE would remove rows without asking the delete trigger.
-- +goose StatementBegin
CREATE TRIGGER intake_no_replace BEFORE INSERT ON intake
WHEN EXISTS (SELECT 1 FROM intake WHERE idx = NEW.idx)
  OR EXISTS (SELECT 1 FROM intake WHERE event_id = NEW.event_id)
  OR EXISTS (SELECT 1 FROM intake WHERE seq > 0 AND device = NEW.device AND epoch = NEW.epoch AND seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'taken: record'); END;
-- +goose StatementEnd

CREATE TABLE signing_keys (
  id         TEXT PRIMARY KEY NOT NULL,
  sealed     BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  retired_at INTEGER
) STRICT;

CREATE TABLE person_keys (
  pseudonym BLOB PRIMARY KEY NOT NULL CHECK (length(pseudonym) = 16),
  sealed    BLOB NOT NULL
) STRICT;

CREATE TABLE "values" (
  name  TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL
) STRICT;
