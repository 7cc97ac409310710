// Package audit is the record and what proves it: canonical bytes, commitments, the chain of a device, signed heads
// and the claims a device signs. It does no I/O and knows no keyring; whoever signs hands in a crypto.Signer.
//
// # Format
//
// A record is encoded once, as core deterministic CBOR (RFC 8949 section 4.2.1), into its envelope; from then on
// the bytes are only copied. Verifiers hash the bytes they were given and never encode again. The envelope is a map
// with the integer keys 0 to 17, all of them present:
//
//	 0 version           1
//	 1 device            16 bytes: the installation that wrote it, or the platform's own id
//	 2 epoch             16 bytes: one unbroken chain of that device
//	 3 seq               from 1; 0 is a record of the platform, placed by the ledger
//	 4 prev              32 bytes: the leaf before it; zero for the first of an epoch and for the platform's
//	 5 wall_ms           Unix milliseconds by the writer's clock: evidence, never order
//	 6 boot_id           16 bytes: the run in which mono_ms counts
//	 7 mono_ms           milliseconds of that run's monotonic clock
//	 8 server_offset_ms  platform's clock minus the writer's, as last seen, or null
//	 9 kind              text, see Kind
//	10 event_id          16 bytes, UUIDv7
//	11 session           16 bytes or null
//	12 actor             16 bytes, pseudonym of who acted; zero when nobody did (a session that expired)
//	13 subject           16 bytes or null, pseudonym of who it was about
//	14 ref               event_id of the record this one answers, or null
//	15 commitments       array of [name, 32 bytes], sorted by name, each name once
//	16 body              byte string: deterministic CBOR map from text to text, integer or bool
//	17 key_id            first 8 bytes of SHA-256 of the key that vouches for it
//
// Names, reasons and notes are not in it: the leaf holds salted commitments to them (Text) and the texts lie beside
// the record, so that destroying a text leaves every proof whole. The leaf is SHA-256(0x00 || envelope), the leaf
// hash of RFC 6962; it is the chain's link, the fingerprint for duplicates and the leaf of the ledger, all in one.
package audit
