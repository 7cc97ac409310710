// Package audit is the record and what proves it: canonical bytes, commitments, the chain of a device, signed heads
// and the claims a device signs. It does no I/O and knows no keyring; whoever signs hands in a crypto.Signer.
//
// FORMAT.md says how each of these is written, precisely enough to verify them with another program; Papers hands it
// out together with test vectors and such a program. In one paragraph: a record is encoded once, as core deterministic
// CBOR (RFC 8949 section 4.2.1), into its envelope; from then on the bytes are only copied, and verifiers hash what they
// were given. Names, reasons and notes are not in it: it holds salted commitments to them (Text) and the texts lie beside
// the record, so that destroying a text leaves every proof whole. The leaf is SHA-256(0x00 || envelope), the leaf hash of
// RFC 6962; it is the chain's link, the fingerprint for duplicates and the leaf of the ledger, all in one.
package audit
