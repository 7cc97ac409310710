-- +goose Up
-- How the member app speaks to a member: in which language (BCP 47), and with the clock of which time zone (IANA).
ALTER TABLE members ADD COLUMN language TEXT NOT NULL DEFAULT '';
ALTER TABLE members ADD COLUMN time_zone TEXT NOT NULL DEFAULT '';
