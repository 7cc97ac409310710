-- +goose Up
-- The size of the newest checkpoint when a notice was shown: a piece of proof that its member holds. Null when nothing
-- was signed yet.
ALTER TABLE notices ADD COLUMN proof INTEGER REFERENCES checkpoints (size);

-- +goose StatementBegin
CREATE TRIGGER notices_proof_stays BEFORE UPDATE ON notices
WHEN OLD.released_at IS NOT NULL AND NEW.proof IS NOT OLD.proof
BEGIN SELECT RAISE(ABORT, 'what a member was given to hold does not change'); END;
-- +goose StatementEnd
