-- +goose Up
-- What is kept for erasing people, for keeping texts no longer than wanted, and for holds, which go before both.

-- Who was erased. The row of the person stays, without what tells who it was.
CREATE TABLE erasures (
  pseudonym BLOB PRIMARY KEY NOT NULL CHECK (length(pseudonym) = 16),
  member    TEXT UNIQUE REFERENCES members (id),
  staff     TEXT UNIQUE REFERENCES staff (id),
  at        INTEGER NOT NULL,
  CHECK ((member IS NULL) <> (staff IS NULL))
) STRICT, WITHOUT ROWID;

-- Legal holds. reason_of and month name the key under which the reason lies, so that it stays readable as long as the hold.
CREATE TABLE holds (
  id          INTEGER PRIMARY KEY,
  pseudonym   BLOB NOT NULL CHECK (length(pseudonym) = 16),
  member      TEXT REFERENCES members (id),
  staff       TEXT REFERENCES staff (id),
  reason_of   BLOB NOT NULL CHECK (length(reason_of) = 16),
  month       INTEGER NOT NULL,
  placed_at   INTEGER NOT NULL,
  placed_by   TEXT NOT NULL,              -- '' for whoever runs the platform
  released_at INTEGER,
  released_by TEXT,
  CHECK ((member IS NULL) <> (staff IS NULL)),
  CHECK ((released_at IS NULL) = (released_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX holds_one_open ON holds (pseudonym) WHERE released_at IS NULL;

-- Each time limit that was ever carried out: what is older than before may be erased.
CREATE TABLE retentions (
  id     INTEGER PRIMARY KEY,
  before INTEGER NOT NULL,
  at     INTEGER NOT NULL
) STRICT;

-- Texts lie under a key for each person and calendar month (UTC, as 202611), so that a month can be destroyed without
-- the ones after it. Keys from before have the month 0 and count as of the month in which this table was made.
CREATE TABLE person_month_keys (
  pseudonym BLOB NOT NULL CHECK (length(pseudonym) = 16),
  month     INTEGER NOT NULL,
  until     INTEGER NOT NULL,             -- the month's end: everything under the key is older
  sealed    BLOB NOT NULL,
  PRIMARY KEY (pseudonym, month)
) STRICT, WITHOUT ROWID;
INSERT INTO person_month_keys (pseudonym, month, until, sealed)
  SELECT pseudonym, 0, unixepoch('now', 'start of month', '+1 month') * 1000, sealed FROM person_keys;
DROP TABLE person_keys;
ALTER TABLE person_month_keys RENAME TO person_keys;
CREATE INDEX person_keys_until ON person_keys (until);

-- Who is held, and everybody who shares a session with somebody held: their texts are about each other.
CREATE VIEW kept (pseudonym) AS
  SELECT pseudonym FROM holds WHERE released_at IS NULL
  UNION ALL SELECT m.pseudonym FROM holds h CROSS JOIN sessions s ON s.agent = h.staff CROSS JOIN members m ON m.id = s.member
    WHERE h.released_at IS NULL AND m.pseudonym IS NOT NULL
  UNION ALL SELECT p.pseudonym FROM holds h CROSS JOIN sessions s ON s.member = h.member CROSS JOIN staff p ON p.id = s.agent
    WHERE h.released_at IS NULL AND p.pseudonym IS NOT NULL; -- CROSS: from the few holds on, never through all members

-- Ended sessions of which something may be erased now: what tells about the member, what tells about the agent.
CREATE VIEW erasable (id, of_member, of_agent) AS
  SELECT id, old OR EXISTS (SELECT 1 FROM erasures e WHERE e.member = o.member), old OR EXISTS (SELECT 1 FROM erasures e WHERE e.staff = o.agent)
  FROM (SELECT s.id, s.member, s.agent, s.ended_at < (SELECT coalesce(max(before), 0) FROM retentions)
      AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.released_at IS NULL AND (h.member = s.member OR h.staff = s.agent)) AS old
    FROM sessions s WHERE s.state = 'ended') o;

-- +goose StatementBegin
CREATE TRIGGER erasures_allowed BEFORE INSERT ON erasures
BEGIN
  SELECT RAISE(ABORT, 'taken: erasure') WHERE EXISTS (SELECT 1 FROM erasures
    WHERE pseudonym = NEW.pseudonym OR member = NEW.member OR staff = NEW.staff);
  SELECT RAISE(ABORT, 'a hold goes before an erasure') WHERE NEW.pseudonym IN (SELECT pseudonym FROM kept)
    OR EXISTS (SELECT 1 FROM holds WHERE released_at IS NULL AND (member = NEW.member OR staff = NEW.staff));
  SELECT RAISE(ABORT, 'a session is open') WHERE EXISTS (SELECT 1 FROM sessions
    WHERE state <> 'ended' AND (member = NEW.member OR agent = NEW.staff));
  SELECT RAISE(ABORT, 'the person works here') WHERE EXISTS (SELECT 1 FROM staff WHERE id = NEW.staff AND disabled = 0);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER erasures_no_update BEFORE UPDATE ON erasures
BEGIN SELECT RAISE(ABORT, 'erasures are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER erasures_no_delete BEFORE DELETE ON erasures
BEGIN SELECT RAISE(ABORT, 'erasures are not taken back'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER holds_begin BEFORE INSERT ON holds
BEGIN
  SELECT RAISE(ABORT, 'taken: hold') WHERE EXISTS (SELECT 1 FROM holds
    WHERE id = NEW.id OR released_at IS NULL AND (pseudonym = NEW.pseudonym OR member = NEW.member OR staff = NEW.staff));
  SELECT RAISE(ABORT, 'a hold begins unreleased') WHERE NEW.released_at IS NOT NULL;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER holds_release_once BEFORE UPDATE ON holds
WHEN OLD.released_at IS NOT NULL OR NEW.released_at IS NULL OR NEW.released_by IS NULL OR NEW.id IS NOT OLD.id
  OR NEW.pseudonym IS NOT OLD.pseudonym OR NEW.member IS NOT OLD.member OR NEW.staff IS NOT OLD.staff
  OR NEW.reason_of IS NOT OLD.reason_of OR NEW.month IS NOT OLD.month
  OR NEW.placed_at IS NOT OLD.placed_at OR NEW.placed_by IS NOT OLD.placed_by
BEGIN SELECT RAISE(ABORT, 'a hold is released once and not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER holds_no_delete BEFORE DELETE ON holds
BEGIN SELECT RAISE(ABORT, 'holds are not deleted'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER retentions_no_replace BEFORE INSERT ON retentions
WHEN EXISTS (SELECT 1 FROM retentions WHERE id = NEW.id) OR NEW.before > NEW.at
BEGIN SELECT RAISE(ABORT, 'a retention is added, and reaches into the past'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER retentions_no_update BEFORE UPDATE ON retentions
BEGIN SELECT RAISE(ABORT, 'retentions are not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER retentions_no_delete BEFORE DELETE ON retentions
BEGIN SELECT RAISE(ABORT, 'retentions are not deleted'); END;
-- +goose StatementEnd

-- An erased person gets no key again: a record that a device brings later is kept without its texts.
-- +goose StatementBegin
CREATE TRIGGER person_keys_begin BEFORE INSERT ON person_keys
BEGIN
  SELECT RAISE(ABORT, 'taken: person key') WHERE EXISTS (SELECT 1 FROM person_keys WHERE pseudonym = NEW.pseudonym AND month = NEW.month);
  SELECT RAISE(ABORT, 'erased: person') WHERE EXISTS (SELECT 1 FROM erasures WHERE pseudonym = NEW.pseudonym);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER person_keys_no_update BEFORE UPDATE ON person_keys
BEGIN SELECT RAISE(ABORT, 'a person''s key is not changed'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER person_keys_end BEFORE DELETE ON person_keys
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE pseudonym = OLD.pseudonym)
  AND (OLD.until > (SELECT coalesce(max(before), 0) FROM retentions)
    OR EXISTS (SELECT 1 FROM holds WHERE released_at IS NULL AND pseudonym = OLD.pseudonym))
BEGIN SELECT RAISE(ABORT, 'a person''s key is destroyed by an erasure or when its time is over'); END;
-- +goose StatementEnd

-- Who was erased does not come back by a later import.
-- +goose StatementBegin
CREATE TRIGGER members_erased BEFORE UPDATE ON members
WHEN EXISTS (SELECT 1 FROM erasures WHERE member = OLD.id) AND (NEW.id IS NOT OLD.id OR NEW.pseudonym IS NOT OLD.pseudonym
  OR NEW.name || NEW.email || NEW.phone || NEW.name_key || NEW.email_key || NEW.phone_digits <> '' OR NEW.staff IS NOT NULL OR NEW.disabled = 0)
BEGIN SELECT RAISE(ABORT, 'erased: member'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER staff_erased BEFORE UPDATE ON staff
WHEN EXISTS (SELECT 1 FROM erasures WHERE staff = OLD.id) AND (NEW.id IS NOT OLD.id OR NEW.pseudonym IS NOT OLD.pseudonym
  OR NEW.name || NEW.email || NEW.email_key <> '' OR NEW.subject IS NOT NULL OR NEW.disabled = 0)
BEGIN SELECT RAISE(ABORT, 'erased: staff'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER notices_erased BEFORE INSERT ON notices
WHEN NEW.reason || NEW.address <> '' AND EXISTS (SELECT 1 FROM erasures WHERE member = NEW.member)
BEGIN SELECT RAISE(ABORT, 'erased: member'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER member_notes_erased BEFORE INSERT ON member_notes
WHEN NEW.text <> '' AND EXISTS (SELECT 1 FROM erasures WHERE member = NEW.member)
BEGIN SELECT RAISE(ABORT, 'erased: member'); END;
-- +goose StatementEnd

-- The two guards of a session, as they were, and one more thing that they let through: an erasure.
DROP TRIGGER sessions_fixed;
-- +goose StatementBegin
CREATE TRIGGER sessions_fixed BEFORE UPDATE ON sessions
WHEN NEW.id IS NOT OLD.id OR NEW.agent IS NOT OLD.agent OR NEW.member IS NOT OLD.member
  OR NEW.account IS NOT OLD.account OR NEW.device IS NOT OLD.device
  OR NEW.reason_category IS NOT OLD.reason_category
  OR NEW.ticket IS NOT OLD.ticket OR NEW.consent_attested IS NOT OLD.consent_attested
  OR NEW.consent_how IS NOT OLD.consent_how OR NEW.consent_at IS NOT OLD.consent_at
  OR NEW.started_at IS NOT OLD.started_at OR NEW.request_key IS NOT OLD.request_key
  OR ((NEW.member_name IS NOT OLD.member_name OR NEW.member_email IS NOT OLD.member_email
      OR NEW.reason_text IS NOT OLD.reason_text OR NEW.request_hash IS NOT OLD.request_hash)
    AND NOT (NEW.member_name IN (OLD.member_name, '') AND NEW.member_email IN (OLD.member_email, '')
      AND NEW.reason_text IN (OLD.reason_text, '') AND NEW.request_hash IN (OLD.request_hash, zeroblob(32))
      AND EXISTS (SELECT 1 FROM erasable WHERE id = OLD.id AND of_member)))
  OR (NEW.agent_name IS NOT OLD.agent_name
    AND NOT (NEW.agent_name = '' AND EXISTS (SELECT 1 FROM erasable WHERE id = OLD.id AND of_agent)))
BEGIN SELECT RAISE(ABORT, 'what a session began with does not change'); END;
-- +goose StatementEnd

DROP TRIGGER sessions_ended;
-- +goose StatementBegin
CREATE TRIGGER sessions_ended BEFORE UPDATE ON sessions
WHEN OLD.state = 'ended' AND (NEW.scope IS NOT OLD.scope OR NEW.expires_at IS NOT OLD.expires_at OR NEW.last_seen IS NOT OLD.last_seen
  OR NEW.opened_at IS NOT OLD.opened_at OR NEW.ended_at IS NOT OLD.ended_at OR NEW.cause IS NOT OLD.cause
  OR NEW.ended_by IS NOT OLD.ended_by OR NEW.handoff_hash IS NOT OLD.handoff_hash
  OR NOT (
    (OLD.note_at IS NULL AND NEW.note_at IS NOT NULL
      AND (NEW.note = '' OR NOT EXISTS (SELECT 1 FROM erasures WHERE member = OLD.member)))
    OR (NEW.note_at IS OLD.note_at AND (NEW.note IS OLD.note AND EXISTS (SELECT 1 FROM erasable WHERE id = OLD.id AND (of_member OR of_agent))
      OR NEW.note = '' AND EXISTS (SELECT 1 FROM erasable WHERE id = OLD.id AND of_member)))))
BEGIN SELECT RAISE(ABORT, 'an ended session takes one note and nothing else'); END;
-- +goose StatementEnd

-- What still holds texts, so that a sweep need not walk through what was erased years ago.
CREATE INDEX sessions_told ON sessions (ended_at) WHERE state = 'ended' AND agent_name || member_name || member_email || reason_text || note <> '';
CREATE INDEX notices_told ON notices (created_at) WHERE agent_name || reason || address <> '';
CREATE INDEX member_notes_told ON member_notes (at) WHERE author || text <> '';
