-- +goose Up
-- What was brought to each address outside last, so that a copy that was taken away or set back there is missed, also
-- after a restart.
CREATE TABLE deliveries (
  place BLOB PRIMARY KEY CHECK (length(place) = 32), -- SHA-256 of the address without what may be secret in it
  size  INTEGER NOT NULL CHECK (size >= 0),
  at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
