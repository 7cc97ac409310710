-- +goose Up
-- What a device said of a chain is not taken back. The trigger before an insert also keeps INSERT OR REPLACE from
-- removing rows without asking the delete trigger.
-- +goose StatementBegin
CREATE TRIGGER device_contacts_not_below BEFORE INSERT ON device_contacts
BEGIN
  SELECT RAISE(ABORT, 'taken: turn') WHERE EXISTS (SELECT 1 FROM device_contacts
    WHERE device = NEW.device AND turn = NEW.turn AND epoch <> NEW.epoch);
  SELECT RAISE(ABORT, 'what a device said is not taken back') WHERE EXISTS (SELECT 1 FROM device_contacts
    WHERE device = NEW.device AND epoch = NEW.epoch AND (seq > NEW.seq OR seq = NEW.seq AND leaf <> NEW.leaf OR turn <> NEW.turn));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_contacts_go_on BEFORE UPDATE ON device_contacts
WHEN NEW.device IS NOT OLD.device OR NEW.epoch IS NOT OLD.epoch OR NEW.turn IS NOT OLD.turn
  OR NEW.seq < OLD.seq OR NEW.seq = OLD.seq AND NEW.leaf IS NOT OLD.leaf
BEGIN SELECT RAISE(ABORT, 'what a device said is not taken back'); END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER device_contacts_no_delete BEFORE DELETE ON device_contacts
BEGIN SELECT RAISE(ABORT, 'what a device said is not deleted'); END;
-- +goose StatementEnd

-- Who is held, everybody who shares a session with somebody held, and everybody about whom somebody held was recorded
-- with texts, as when a session with them was refused: those texts lie under their keys.
CREATE INDEX intake_texts_of_others ON intake (actor, texts_of) WHERE sealed_texts IS NOT NULL AND texts_of <> actor;
DROP TRIGGER erasures_allowed;
DROP TRIGGER person_keys_end;
DROP VIEW kept;
CREATE VIEW kept (pseudonym) AS
  SELECT pseudonym FROM holds WHERE released_at IS NULL
  UNION ALL SELECT m.pseudonym FROM holds h CROSS JOIN sessions s ON s.agent = h.staff CROSS JOIN members m ON m.id = s.member
    WHERE h.released_at IS NULL AND m.pseudonym IS NOT NULL
  UNION ALL SELECT p.pseudonym FROM holds h CROSS JOIN sessions s ON s.member = h.member CROSS JOIN staff p ON p.id = s.agent
    WHERE h.released_at IS NULL AND p.pseudonym IS NOT NULL
  UNION ALL SELECT i.texts_of FROM holds h CROSS JOIN intake i ON i.actor = h.pseudonym AND i.sealed_texts IS NOT NULL AND i.texts_of <> i.actor
    WHERE h.released_at IS NULL; -- CROSS: from the few holds on, never through all members or records

-- As they were, but that EXISTS asks the view for the one person, and that a key is kept as long as the view has it.
-- +goose StatementBegin
CREATE TRIGGER erasures_allowed BEFORE INSERT ON erasures
BEGIN
  SELECT RAISE(ABORT, 'taken: erasure') WHERE EXISTS (SELECT 1 FROM erasures
    WHERE pseudonym = NEW.pseudonym OR member = NEW.member OR staff = NEW.staff);
  SELECT RAISE(ABORT, 'a hold goes before an erasure') WHERE EXISTS (SELECT 1 FROM kept WHERE pseudonym = NEW.pseudonym)
    OR EXISTS (SELECT 1 FROM holds WHERE released_at IS NULL AND (member = NEW.member OR staff = NEW.staff));
  SELECT RAISE(ABORT, 'a session is open') WHERE EXISTS (SELECT 1 FROM sessions
    WHERE state <> 'ended' AND (member = NEW.member OR agent = NEW.staff));
  SELECT RAISE(ABORT, 'the person works here') WHERE EXISTS (SELECT 1 FROM staff WHERE id = NEW.staff AND disabled = 0);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER person_keys_end BEFORE DELETE ON person_keys
WHEN NOT EXISTS (SELECT 1 FROM erasures WHERE pseudonym = OLD.pseudonym)
  AND (OLD.until > (SELECT coalesce(max(before), 0) FROM retentions)
    OR EXISTS (SELECT 1 FROM kept WHERE pseudonym = OLD.pseudonym))
BEGIN SELECT RAISE(ABORT, 'a person''s key is destroyed by an erasure or when its time is over'); END;
-- +goose StatementEnd
