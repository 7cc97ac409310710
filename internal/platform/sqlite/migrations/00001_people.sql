-- +goose Up
-- Times are INTEGER milliseconds since 1970 UTC; NULL means "not yet". A column that ends in _key holds the folded
-- form in which search compares (fold.go).

CREATE TABLE staff (
  id             TEXT PRIMARY KEY NOT NULL,
  name           TEXT NOT NULL,
  email          TEXT NOT NULL,
  email_key      TEXT NOT NULL,           -- case folded only: two addresses that differ in an accent are two people
  role           TEXT NOT NULL,
  tier           INTEGER NOT NULL,
  privilege      INTEGER NOT NULL CHECK (privilege IN (0, 1)),
  disabled       INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  scope_all      INTEGER NOT NULL CHECK (scope_all IN (0, 1)),
  scope_accounts TEXT NOT NULL CHECK (json_valid(scope_accounts)),
  scope_branches TEXT NOT NULL CHECK (json_valid(scope_branches)),
  pseudonym      BLOB UNIQUE CHECK (length(pseudonym) = 16),
  issuer         TEXT,
  subject        TEXT,
  CHECK ((issuer IS NULL) = (subject IS NULL))
) STRICT;
CREATE UNIQUE INDEX staff_by_subject ON staff (issuer, subject);
CREATE INDEX staff_by_email ON staff (email_key);

CREATE TABLE accounts (
  id       TEXT PRIMARY KEY NOT NULL,
  name     TEXT NOT NULL,
  id_key   TEXT NOT NULL,
  name_key TEXT NOT NULL
) STRICT;
CREATE INDEX accounts_by_id_key ON accounts (id_key);
CREATE INDEX accounts_by_name_key ON accounts (name_key);

CREATE TABLE branches (
  id      TEXT PRIMARY KEY NOT NULL,
  account TEXT NOT NULL REFERENCES accounts (id),
  name    TEXT NOT NULL,
  UNIQUE (id, account)
) STRICT;

CREATE TABLE members (
  seq          INTEGER PRIMARY KEY,
  id           TEXT NOT NULL UNIQUE,
  account      TEXT NOT NULL REFERENCES accounts (id),
  branch       TEXT,
  name         TEXT NOT NULL,
  email        TEXT NOT NULL,
  phone        TEXT NOT NULL,
  level        TEXT NOT NULL,
  disabled     INTEGER NOT NULL CHECK (disabled IN (0, 1)),
  pseudonym    BLOB UNIQUE CHECK (length(pseudonym) = 16),
  staff        TEXT REFERENCES staff (id),
  id_key       TEXT NOT NULL,
  name_key     TEXT NOT NULL,
  email_key    TEXT NOT NULL,
  phone_digits TEXT NOT NULL,
  FOREIGN KEY (branch, account) REFERENCES branches (id, account)
) STRICT;
CREATE INDEX members_by_name ON members (name_key, id);
CREATE INDEX members_by_account ON members (account, name_key);
CREATE INDEX members_by_branch ON members (branch, name_key);

-- Everything a member can be found by from its beginning: each word of the name, e-mail, phone digits, id.
CREATE TABLE member_terms (
  term   TEXT NOT NULL,
  member INTEGER NOT NULL,
  PRIMARY KEY (term, member)
) STRICT, WITHOUT ROWID;

-- Everything a member can be found by from the middle. The text is folded before it comes here, so the tokenizer
-- must not fold once more; detail=none is a quarter of the size, and search checks each hit against the row.
CREATE VIRTUAL TABLE member_text USING fts5 (
  text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram case_sensitive 1'
);
