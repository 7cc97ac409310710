-- +goose Up
-- When what the member app reported of an ended session is compared with what the session's browser showed, and how much
-- was found missing so far. It is not evidence: the records that are compared are, and anybody can compare them again.
CREATE TABLE comparisons (
  session TEXT PRIMARY KEY REFERENCES sessions (id),
  due     INTEGER, -- NULL when nothing has come since the last time
  missing INTEGER NOT NULL DEFAULT 0 CHECK (missing >= 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX comparisons_due ON comparisons (due) WHERE due IS NOT NULL;
