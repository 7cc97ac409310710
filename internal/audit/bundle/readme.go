package bundle

// readme is the first member: what a person reads who opens the zip.
const readme = `This is a bundle: the audit trail of a platform that uses Stead, with everything needed to check it.
You need no account, no network and no trust in whoever gave it to you.

What to hold against it
  Two small files that you or somebody you trust kept from before: the log's key ("key") and a checkpoint of the
  log ("checkpoint", a few lines of text). Without the key, a check shows only that the bundle agrees with itself;
  without a checkpoint from before, it cannot show that the whole log was not rolled back or written anew.
  An older key is good enough: who handed the log over to which key since is in here, signed. If a key was stolen,
  people replaced it; put their recovery keys into the key file as well, each line with the word "recovery" before it.

How to check it
  1. With Stead:     stead audit verify --bundle BUNDLE.zip --key KEY --trusted-checkpoint CHECKPOINT
  2. Without Stead:  unpack verify.py, trust.py and proof.py into one folder (better: take them, and FORMAT.md, from a source of
                     your own; they were written from FORMAT.md alone and are short enough to be read), and run
                     python3 verify.py --key KEY --trusted-checkpoint CHECKPOINT BUNDLE.zip
  3. Without either: write a verifier of your own from FORMAT.md; vectors.json tells whether it is right.
  Each ends with exit code 0 when all is proven, 1 when something is broken (the first bad record is named), 2 when
  there is nothing that could be checked.

What is in it
  records/            every record of the log, in order, and nothing personal in them
  texts.ndjson        names, reasons and notes, each bound to its record; or why one is not here (withheld, erased)
  sessions.ndjson     every session with the places of its records: no start without its line, no end without a start
  notices.ndjson      what members were told, and whether they saw it
  staff.ndjson        who worked there, with role and privilege
  devices.ndjson      the devices and their keys; heads.ndjson: where their chains end; signed.ndjson: what of them the
                      devices themselves signed
  quarantined.ndjson  what came in the place of a record and is none; doubts.ndjson: what the platform does not believe
  checkpoint(s)       what the platform signed; keys.txt: with which keys; statements.entries: how those changed
  manifest.json       counts, and size and hash of every file

What a check does not prove is said in section 11 of FORMAT.md.
`
