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

