#!/usr/bin/env python3
"""Checks a bundle of Stead, offline, with nothing but Python 3.9 or later and its standard library.

    python3 verify.py [--key FILE] [--trusted-checkpoint FILE] BUNDLE.zip
    python3 verify.py --vectors vectors.json

It was written from FORMAT.md alone, and needs proof.py and trust.py in the same folder; numbers in brackets are that document's
sections. Exit code 0: proven, 1: broken, 2: unusable.
"""
import argparse
import collections
import hashlib
import json
import re
import struct
import sys
import uuid
import zipfile
import zlib

from proof import (Broken, Chains, DEVICE_KINDS, Tree, canonical, checkpoint, commitment, is_int, leaf_of, need, parse_keys,
                   record, same, sha, shape, unhex, vectors)
from trust import Custody, Evidence, Facts, follow, key_file

EACH = 65536  # records in a member


class Unusable(Exception):
    """There is nothing here that could be checked."""


# [9] The container.
DOCUMENTS = ["README.txt", "FORMAT.md", "vectors.json", "proof.py", "trust.py", "verify.py"]
VIEWS = [n + ".ndjson" for n in ("heads", "signed", "quarantined", "doubts", "devices", "staff", "texts", "sessions", "notices")]
MANIFEST = ("format tool made_ms origin size root pending checkpoints chains since_ms redacted texts sessions notices devices"
            " staff statements signed_heads quarantined doubts members").split()


class Bundle:
    def __init__(self, path):
        try:
            self.zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as e:
            raise Unusable(f"{path}: {e}")
        infos = self.zip.infolist()
        names = [i.filename for i in infos]
        records = [n for n in names if n.startswith("records/")]
        wanted = (DOCUMENTS + ["checkpoint", "checkpoints.entries", "statements.entries", "keys.txt"] +
                  ["records/%06d.entries" % i for i in range(len(records))] + ["pending.entries"] + VIEWS + ["manifest.json"])
        with open(path, "rb") as f:
            size = f.seek(0, 2)
        if names != wanted or any(i.orig_filename != i.filename for i in infos):
            raise Unusable("the zip does not hold the members of a bundle, each once and in order")
        if any(i.flag_bits & 1 or i.compress_type not in (0, 8) for i in infos):
            raise Unusable("a member is encrypted or packed in a way that bundles do not use")
        if sum(i.compress_size for i in infos) > size or sum(i.file_size for i in infos) > (64 << 20) + 200 * size:
            raise Unusable("it unpacks to more than a bundle does")
        self.records = len(records)
        if self.zip.getinfo("manifest.json").file_size > 16 << 20:
            raise Unusable("the manifest is too large")
        self.manifest = self.check_manifest(infos, self.read("manifest.json"))

    def check_manifest(self, infos, raw):
        said = json.loads(raw.decode("utf-8"))
        if type(said) is dict and type(said.get("format")) is str and said["format"] != "stead-bundle/1":
            raise Unusable("the bundle is of another format: " + said["format"])
        m = canonical(raw, MANIFEST, indent=1)
        need(type(m["tool"]) is str and is_int(m["made_ms"]) and type(m["redacted"]) is bool, "the manifest has unfit values")
        need(m["since_ms"] is None or is_int(m["since_ms"]), "the manifest has unfit values")
        need(type(m["members"]) is list and len(m["members"]) == len(infos) - 1, "the manifest does not list the members")
        for info, said in zip(infos, m["members"]):
            shape(said, ["name", "size", "sha256"])
            need(said["name"] == info.filename, "the manifest lists", said["name"], "where", info.filename, "stands")
            h, n = hashlib.sha256(), 0
            with self.zip.open(info) as f:
                for block in iter(lambda: f.read(1 << 16), b""):
                    h.update(block)
                    n += len(block)
            need(is_int(said["size"]) and n == said["size"] and h.hexdigest() == said["sha256"],
                 info.filename, "is not what the manifest says")
        return m

    def read(self, name):
        with self.zip.open(name) as f:
            return f.read()

    def entries(self, name):
        with self.zip.open(name) as f:
            while True:
                head = f.read(2)
                if not head:
                    return
                need(len(head) == 2, name, "is cut short")
                body = f.read(int.from_bytes(head, "big"))
                need(len(body) == int.from_bytes(head, "big"), name, "is cut short")
                yield body

    def envelopes(self):
        for i in range(self.records):
            n = 0
            for n, e in enumerate(self.entries("records/%06d.entries" % i), 1):
                yield e
            need(n == EACH or (i == self.records - 1 and 0 < n < EACH), "member", i, "of the records has", n)

    def lines(self, name, keys):
        with self.zip.open(name + ".ndjson") as f:
            n = 0
            while True:
                line, n = f.readline((4 << 20) + 1), n + 1
                if not line:
                    return
                try:
                    need(line.endswith(b"\n"), "it is cut short or too long")
                    yield canonical(line[:-1], keys.split())
                except (Broken, ValueError, RecursionError) as e:
                    raise Broken(f"{name}.ndjson, line {n}: {e}")


class Check:
    """[10] One check of one bundle."""

    def __init__(self, bundle, keys, trusted, signatures, progress):
        self.b, self.m, self.own = bundle, bundle.manifest, keys is None
        statements = list(bundle.entries("statements.entries"))
        need(same(len(statements), self.m["statements"]), "the manifest counts other statements")
        self.keys, self.followed = (parse_keys(bundle.read("keys.txt")), 0) if self.own else follow(*keys, statements)
        self.custody, self.evidence, self.public = Custody(statements, {} if self.own else keys[1]), Evidence(bundle), {}
        self.trusted = None
        if trusted is not None:
            self.trusted = checkpoint(trusted, self.keys)
            need(self.trusted[3], "no known key signed the trusted checkpoint")
        self.signatures, self.progress = signatures, progress
        self.tree, self.chains, self.facts, self.unknown = Tree(), Chains(), Facts(), 0
        self.texts, self.next_text = self.b.lines("texts", "place texts missing"), None
        self.counts = dict.fromkeys(("opened", "redacted", "since", "erased", "absent"), 0)
        self.notes, self.note, self.noted = self.b.entries("checkpoints.entries"), None, 0

    def run(self):
        self.next_note()
        self.next_text = next(self.texts, None)
        place = -1
        self.signed_here()
        for place, e in enumerate(self.b.envelopes()):
            self.take(place, e, True)
        self.finish_log()
        pending = 0
        for pending, e in enumerate(self.b.entries("pending.entries"), 1):
            self.take(place + pending, e, False)
        need(same(pending, self.m["pending"]), "the manifest counts other pending records")
        need(self.next_text is None, "texts.ndjson goes on behind the last record")
        need(not self.custody.notes, "a statement about the log is there that no record names")
        self.heads()
        self.devices()
        self.evidence.finish(self.public, self.chains.heads)
        self.sessions_and_notices()
        self.staff()
        need(same(self.counts, self.m["texts"]), "the manifest counts other texts")

    def take(self, place, envelope, logged):
        if self.progress and place % 5000 == 0:
            print(f"\r{place} records read", end="", file=sys.stderr)
        try:
            r, leaf = record(envelope), leaf_of(envelope)
            self.chains.take(r, leaf)
            self.facts.take(place, r)
            self.custody.take(place, r)
            self.evidence.take(place, r, self.chains.heads)
            self.take_texts(place, r)
        except (Broken, ValueError, RecursionError) as e:
            raise Broken(f"record at place {place}: {e}")
        if logged:
            self.tree.add(leaf)
            self.signed_here()

    def take_texts(self, place, r):
        line = self.next_text
        if line is None or line["place"] != place:
            need(not r["commitments"], "has commitments and no line in texts.ndjson, or one out of order")
            return
        self.next_text = next(self.texts, None)
        need(r["commitments"] and type(line["texts"]) is list and type(line["missing"]) is list, "has an unfit line in texts.ndjson")
        since = self.m["since_ms"] is not None and r["wall_ms"] < self.m["since_ms"]
        for t in line["texts"]:
            shape(t, ["name", "salt", "value"])
            need(not self.m["redacted"] and not since, "has a text that is said to be withheld")
            need(type(t["value"]) is str and commitment(t["name"], unhex(t["salt"], 32), t["value"]) == r["commitments"].get(t["name"]),
                 "text", t["name"], "is not the one that the record commits to")
            self.counts["opened"] += 1
        for x in line["missing"]:
            shape(x, ["name", "why"])
            fits = x["why"] == ("redacted" if self.m["redacted"] else "since") if self.m["redacted"] or since else x["why"] in ("erased", "absent")
            need(fits, "text", x["name"], "is missing for a reason that does not fit")
            self.counts[x["why"]] += 1
        for part in (line["texts"], line["missing"]):
            names = [x["name"] for x in part]
            need(names == sorted(names, key=str.encode), "has texts out of order")
        names = [x["name"] for x in line["texts"] + line["missing"]]
        need(len(names) == len(set(names)) and set(names) == set(r["commitments"]), "has other texts than it commits to")

    def next_note(self):
        raw = next(self.notes, None)
        if raw is None:
            self.note = None
            return
        self.last_note, self.noted = raw, self.noted + 1
        try:
            self.note = checkpoint(raw, self.keys, self.signatures)
        except (Broken, ValueError) as e:
            raise Broken(f"checkpoint {self.noted}: {e}")
        self.unknown += not self.note[3]
        need(self.note[3] or not self.own, "checkpoint", self.noted, "was signed by a key that the bundle does not name")

    def signed_here(self):
        size = self.tree.size
        if self.trusted is not None and self.trusted[1] == size:
            need(self.trusted[2] == self.tree.root(), "the first", size, "records are not those of the trusted checkpoint: history was rewritten")
        while self.note is not None and self.note[1] <= size:
            need(self.note[1] == size, "a checkpoint of", self.note[1], "records comes after one of", size)
            need(self.note[2] == self.tree.root(), "the first", size, "records are not those that were signed")
            self.custody.look(self.note[3], size)
            self.newest = self.note
            self.next_note()

    def finish_log(self):
        size, m = self.tree.size, self.m
        need(self.note is None, "a checkpoint counts more records than the log has: its end was cut")
        need(self.trusted is None or self.trusted[1] <= size, "the trusted checkpoint counts more records: the log was rolled back or cut")
        need(self.noted, "there is no checkpoint")
        origin, counted, root, known = checkpoint(self.last_note, self.keys)
        need(counted == size and known, "the newest checkpoint does not count the whole log, or no known key signed it")
        need(self.b.read("checkpoint") == self.last_note, "the member checkpoint is not the newest one")
        need(same([m["size"], m["origin"], m["root"], m["checkpoints"]], [size, origin, root.hex(), self.noted]), "the manifest names another log")

    def heads(self):
        left = dict(self.chains.heads)
        for h in self.b.lines("heads", "device epoch seq leaf"):
            at, head = (unhex(h["device"], 16), unhex(h["epoch"], 16)), (h["seq"], unhex(h["leaf"], 32))
            need(is_int(h["seq"], 0), "a head without a sequence")
            need(at in left or h["seq"] == 0, "a head of a chain that has no records:", h["device"])
            need(left.pop(at, head) == head, "device", h["device"], "was told that record", h["seq"], "is held, and its chain ends elsewhere")
        need(not left, "a chain of a device has no head")
        need(same(self.m["chains"], len(self.chains.heads)), "the manifest counts other chains")

    def devices(self):
        f, seen = self.facts, set()
        for d in self.b.lines("devices", "device public_key key_id enrolled revoked"):
            device, key = unhex(d["device"], 16), sha(unhex(d["public_key"], 32))[:8]
            need(device not in seen, "a device twice:", d["device"])
            seen.add(device)
            self.public[device] = unhex(d["public_key"], 32)
            place, key_id = f.enrolled.pop(d["device"], (None, None))
            need(d["key_id"] == key.hex() and key_id in (None, d["key_id"]), "device", d["device"], "has another key than it was enrolled with")
            need(f.wrote.get(device, (key,))[0] == key, "the records of device", d["device"], "name another key")
            need(same([d["enrolled"], d["revoked"]], [place, f.revoked.get(d["device"])]), "device", d["device"], "names other records")
        need(not f.enrolled and seen >= set(f.wrote), "a device of which there are records is not listed")
        need(same(len(seen), self.m["devices"]), "the manifest counts other devices")

    def sessions_and_notices(self):
        states, causes, left = dict.fromkeys(("started", "live", "ended"), 0), collections.Counter(), dict(self.facts.sessions)
        owed = collections.Counter()
        for s in self.b.lines("sessions", "session state cause started opened ended"):
            said = left.pop(session_id(s["session"]), None)
            need(said is not None, "session", s["session"], "has no start among the records, or is listed twice")
            state = "ended" if said["ended"] is not None else "live" if said["opened"] is not None else "started"
            need(same([s[k] for k in ("state", "cause", "started", "opened", "ended")], [state] + [said[k] for k in ("cause", "started", "opened", "ended")]),
                 "session", s["session"], "is not what its records say")
            states[state] += 1
            causes.update([said["cause"]] if state == "ended" else [])
            opened = said["opened"] is not None
            owed[s["session"], "started", opened] += 1
            owed[s["session"], "ended", True] += opened and state == "ended"
        need(not left, "a session that was started is not listed:", *(str(uuid.UUID(bytes=x)) for x in list(left)[:1]))
        said = dict(states, ended=dict(sorted(causes.items())), refused=self.facts.refused)
        need(same(self.m["sessions"], said), "the manifest counts other sessions")
        counts, ids = dict.fromkeys(("hidden", "released", "read"), 0), set()
        for n in self.b.lines("notices", "notice session kind created_ms released_ms read_ms"):
            need(is_int(n["notice"]) and n["notice"] not in ids and is_int(n["created_ms"]), "a notice without an id or time, or twice")
            ids.add(n["notice"])
            need(all(n[k] is None or is_int(n[k]) for k in ("released_ms", "read_ms")), "a notice with an unfit time")
            released, read = n["released_ms"] is not None, n["read_ms"] is not None
            need(released or not read, "notice", n["notice"], "was read before it was shown")
            counts["read" if read else "released" if released else "hidden"] += 1
            if n["kind"] in ("started", "ended"):
                owed[n["session"], n["kind"], released] -= 1
        for (session, kind, _), n in owed.items():
            need(n == 0, "session", session, "has not the notices that its records call for, of kind", kind)
        need(same(counts, self.m["notices"]), "the manifest counts other notices")

    def staff(self):
        f, people, n = self.facts, set(), 0
        for n, s in enumerate(self.b.lines("staff", "person id role tier privilege disabled claims first_start last_start"), 1):
            who = None if s["person"] is None else unhex(s["person"], 16)
            need(who is None or who not in people, "a person twice:", s["person"])
            people.add(who)
            need(type(s["id"]) is (type(None) if self.m["redacted"] else str) and type(s["role"]) is str and is_int(s["tier"]), "a person with an unfit line")
            need(type(s["privilege"]) is bool and type(s["disabled"]) is bool, "a person with an unfit line")
            first, last = f.starts.get(who, (None, None))
            need(same([s["claims"], s["first_start"], s["last_start"]], [f.claims.get(who, []), first, last]), "person", s["person"], "names other records")
        need(people >= set(f.claims) | set(f.starts), "somebody who claimed or started is not listed")
        need(same(n, self.m["staff"]), "the manifest counts other staff")


def session_id(s):
    need(type(s) is str and str(uuid.UUID(s)) == s, "not a session's id:", s)
    return uuid.UUID(s).bytes


def main():
    p = argparse.ArgumentParser(description="Checks a bundle of Stead offline. Exit code 0: proven, 1: broken, 2: unusable.")
    p.add_argument("bundle", nargs="?", metavar="BUNDLE.zip")
    p.add_argument("--key", metavar="FILE", help="the log's verifier keys as you keep them, and recovery keys; without, the bundle's own")
    p.add_argument("--trusted-checkpoint", metavar="FILE", help="a checkpoint that was kept elsewhere")
    p.add_argument("--newest-signature-only", action="store_true", help="do not look at the signatures of older checkpoints")
    p.add_argument("--vectors", metavar="FILE", help="check this program against vectors.json instead")
    a = p.parse_args()
    try:
        if a.vectors:
            print(f"{vectors(a.vectors)} checks against the vectors hold")
            return 0
        if not a.bundle:
            raise Unusable("give a bundle")
        try:
            keys = key_file(open(a.key, "rb").read()) if a.key else None
            trusted = open(a.trusted_checkpoint, "rb").read() if a.trusted_checkpoint else None
        except (OSError, ValueError, Broken) as e:
            raise Unusable(str(e))
        c = Check(Bundle(a.bundle), keys, trusted, not a.newest_signature_only, sys.stderr.isatty())
        c.run()
    except Unusable as e:
        print(f"unusable: {e}")
        return 2
    except (Broken, ValueError, KeyError, TypeError, AttributeError, RecursionError, EOFError, OSError, struct.error, zlib.error,
            zipfile.BadZipFile, NotImplementedError) as e:
        print(f"broken: {e if isinstance(e, Broken) else repr(e)}")
        return 1
    report(c, a)
    return 0


def many(n, word):
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def report(c, a):
    m, asked = c.m, c.facts.asked()
    print(f"proven: {m['origin']}, {many(m['size'], 'record')}, root {m['root']}")
    print(f"  {m['pending']} pending; {many(m['checkpoints'], 'checkpoint')} as the records have it, signers not given: {c.unknown}")
    print(f"  {many(c.followed, 'handover')} of the log's key followed; {many(m['statements'], 'statement')}, each with its record")
    for place, what in c.custody.said:
        print(f"  place {place}: {what}")
    print(f"  {many(m['chains'], 'chain')} of devices, {c.evidence.fully} signed by their device to the end, {many(c.chains.bridged, 'record')} bridged, "
          f"{m['quarantined']} quarantined, {c.evidence.claimed} more that devices signed to have")
    print(f"  starts that devices were about to ask for: {asked['all']}; neither answer nor outcome: {asked['open']}; answered without outcome: {asked['untold']}")
    print(f"  records of devices about a session whose start is not in the log: {c.facts.strange}")
    print("  texts: " + ", ".join(f"{n} {k}" for k, n in m["texts"].items()))
    counts, ended = m["sessions"], sum(m["sessions"]["ended"].values())
    print(f"  sessions: {len(c.facts.sessions)}, of which {counts['started']} not opened yet, {counts['live']} live, {ended} ended {json.dumps(counts['ended'])}; "
          f"starts refused: {counts['refused']}; notices: {json.dumps(m['notices'])}")
    if c.own:
        print("  NOT proven: whose log it is. The keys are the bundle's own: only that it is consistent. Give --key.")
    if c.trusted is None:
        print("  NOT proven: that it was not rolled back or written anew as a whole. Give --trusted-checkpoint.")
    print("  NOT proven, the platform's word: roles and privileges of today, times of notices, who a pseudonym is, doubts.")


if __name__ == "__main__":
    sys.exit(main())
