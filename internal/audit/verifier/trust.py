"""Sections 8 to 10 of FORMAT.md, what records say together and what stands beside them: keys and their handovers, signed heads, quarantine, doubts.

It was written from that document alone; numbers in brackets are its sections.
"""
import base64
import collections
import datetime
import re

from proof import Broken, DEVICE_KINDS, encode, is_int, leaf_of, need, open_note, parse_keys, sha, signed, unhex


def key_file(text):
    """[8] Returns the log's keys and the recovery keys of a file that somebody keeps."""
    lines = [line.strip(" \t\v\f\r\x85\xa0") for line in text.decode("utf-8").split("\n")]
    people = [line[9:] for line in lines if line.startswith("recovery ")]
    keys = parse_keys("\n".join(line for line in lines if not line.startswith("recovery ")).encode())
    recovery = dict(one_key(line.strip()) for line in people)
    need(len(recovery) != 1 and len(people) == len({n for n, _ in recovery}) == len(set(recovery.values())),
         "of recovery keys there are two at least, each of another person")
    return keys, recovery


def printable(s, most):
    return s != "" and len(s.encode()) <= most and s.isprintable()


def one_key(line):
    """The name, id and key of a verifier key in its one form."""
    need("\n" not in line, "not a verifier key")
    (name, number), key = next(iter(parse_keys(line.encode()).items()))
    again = f"{name}+{number.hex()}+{base64.b64encode(bytes([1]) + key).decode()}"
    need(again == line and printable(name, 255), "a verifier key in another form")
    return (name, number), key


def moment(s):
    need(re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", s), "not a time in UTC to the second")
    if s[:4] != "0000":  # which Python does not count
        datetime.datetime.strptime(s, "%Y-%m-%dT%H:%M:%SZ")
    return s


def handover(text):
    """[8] Returns origin, verifier key and time."""
    lines = text.split("\n")
    need(len(lines) == 5 and lines[0] == "stead log key v1" and lines[4] == "", "not a handover")
    need(one_key(lines[2])[0][0] == lines[1], "the key is not one of the log")
    return lines[1], lines[2], moment(lines[3])


def restored(text):
    lines = text.split("\n")
    need(len(lines) == 7 and lines[0] == "stead log restored v1" and lines[6] == "", "not a restore")
    size, _, root = lines[2].partition(" ")
    need(printable(lines[1], 255) and not set(" +") & set(lines[1]), "it does not say of which log")
    need(re.fullmatch("0|[1-9][0-9]{0,15}", size) and re.fullmatch("0|[1-9][0-9]{0,15}", lines[3]), "not a size")
    need(int(size) <= int(lines[3]) < 2**53, "not a size")
    raw = base64.b64decode(root, validate=True)
    need(len(raw) == 32 and base64.b64encode(raw).decode() == root, "its root is not 32 bytes")
    moment(lines[4])
    need(printable(lines[5], 400) and lines[5].strip() == lines[5], "its reason is not one line")
    return int(size), int(lines[3]), lines[4], lines[5]


def handed(note, keys):
    """The handover and which of the keys signed it; None and none for what is no handover or badly signed."""
    try:
        text, by = open_note(note, keys)
        return handover(text), by
    except (Broken, ValueError):
        return None, set()


def follow(keys, recovery, statements):
    """[8] The keys that are good after the statements, replaced ones among them, and how many handovers led to others."""
    good, known, since, followed = dict(keys), dict(keys), "", 0
    for note in statements:
        h, by = handed(note, recovery)
        if len(by) > 1:
            if h[2] > since:
                since, followed = h[2], followed + 1
                good = dict([x for x in good.items() if x[0][0] != h[0]] + [one_key(h[1])])
                known.update(good)
            continue
        h, by = handed(note, good)
        if h and h[0] in {n for n, _ in by} and one_key(h[1])[0] not in known:
            followed += 1
            good.update([one_key(h[1])])
            known.update(good)
    return known, followed


class Facts:
    """[10] What the records say about devices, sessions and people, by place."""

    def __init__(self):
        self.enrolled, self.revoked, self.wrote = {}, {}, {}
        self.sessions, self.claims, self.starts, self.refused = {}, collections.defaultdict(list), {}, 0
        self.intents, self.strange = {}, 0

    def take(self, place, r):
        kind, body, actor = r["kind"], r["body"], r["actor"]
        device = body.get("device")
        if kind == "session.intent":
            self.intents[r["event_id"]] = set()
        for who, kinds in (("platform", ("session.started", "session.refused")), ("device", ("session.outcome", "session.observed_end"))):
            if kind in kinds and r["ref"] in self.intents:
                self.intents[r["ref"]].add(who)
        self.strange += kind in DEVICE_KINDS and r["session"] is not None and r["session"] not in self.sessions
        if kind in DEVICE_KINDS:
            key = self.wrote.setdefault(r["device"], (r["key_id"], place))
            need(key[0] == r["key_id"], "names another key than its device's records before")
        elif kind == "device.enrolled" and type(device) is str:
            self.enrolled.setdefault(device, (place, body.get("key_id")))
        elif kind == "device.revoked" and type(device) is str:
            self.revoked.setdefault(device, place)
        elif kind == "staff.claimed":
            self.claims[actor].append(place)
        elif kind == "session.refused":
            self.refused += 1
        elif kind in ("session.started", "session.opened", "session.ended"):
            self.session(place, kind[8:], r)

    def asked(self):
        by = collections.Counter(tuple(sorted(x)) for x in self.intents.values())
        return {"all": len(self.intents), "open": by[()], "untold": by["platform",]}

    def session(self, place, step, r):
        s = self.sessions.get(r["session"])
        need(r["session"] is not None, "names no session")
        if step == "started":
            need(s is None, "starts a session that was started before")
            self.sessions[r["session"]] = {"started": place, "opened": None, "ended": None, "cause": ""}
            first, _ = self.starts.get(r["actor"], (place, place))
            self.starts[r["actor"]] = first, place
            return
        need(s is not None, "is about a session that was never started")
        need(s["ended"] is None, "is about a session that has ended")
        need(s[step] is None, "opens a session twice")
        s[step] = place
        if step == "ended":
            s["cause"] = r["body"].get("cause")
            need(type(s["cause"]) is str, "ends a session without a cause")


class Custody:
    """[10] What the records say of the log's keys, beside the statements."""

    def __init__(self, statements, recovery):
        self.notes, self.line, self.ended = {sha(s).hex(): s for s in statements}, [], {}
        self.recovery, self.said = recovery, []
        need(len(self.notes) == len(statements), "a statement about the log is there twice")

    def take(self, place, r):
        b = r["body"]
        if r["kind"] not in ("ledger.key", "ledger.restored"):
            return
        note = self.notes.pop(unhex(b.get("statement"), 32).hex(), None)
        need(note is not None, "names a statement about the log that is not there")
        text, _ = open_note(note, {})
        if r["kind"] == "ledger.restored":
            kept, lost, at, why = restored(text)
            self.say(place, note, f"on {at} people declared that the log was set back to {kept} records; it had at least {lost}. Their reason: {why}")
            return
        need(type(b.get("key")) is str and type(b.get("before")) is str and type(b.get("compromised")) is bool, "is no whole handover")
        need(handover(text)[1] == b["key"], "names a statement that hands the log over to another key")
        need("\n" not in b["before"], "not a verifier key")
        key, before = one_key(b["key"])[0], parse_keys(b["before"].encode())
        if not b["compromised"]:
            h, by = handed(note, before)
            need(h and h[0] in {n for n, _ in by}, "names a handover that the key before did not sign")
            self.said.append((place, f"on {handover(text)[2]} the log's key signed that this one follows it: {b['key']}"))
        else:
            self.say(place, note, f"on {handover(text)[2]} people replaced the log's key, as one in wrong hands, with {b['key']}")
        self.line += list(before)
        if b["compromised"]:
            for one in self.line:
                self.ended.setdefault(one, place)
        self.line.append(key)

    def say(self, place, note, what):
        try:
            by = [n for n, _ in open_note(note, self.recovery)[1]]
        except (Broken, ValueError):
            by = []
        who = "Signed by " + " and ".join(sorted(by)) if len(by) > 1 else "NOT signed by two of the people whose keys were given"
        self.said.append((place, what + ". " + (who if self.recovery else "Who signed it only recovery keys in --key show")))

    def look(self, signers, size):
        need(not signers or any(size <= self.ended.get(s, size) for s in signers),
             "the checkpoint of", size, "records was signed only with a key that was replaced, as one in wrong hands, before")


class Evidence:
    """[10] Signed heads, doubts and what is in quarantine, beside the records."""

    def __init__(self, bundle):
        self.b, self.m, self.signed, self.kept = bundle, bundle.manifest, {}, {}
        self.doubts, self.doubted, self.fully, self.claimed, n = bundle.lines("doubts", "place doubt"), 0, 0, 0, 0
        for n, s in enumerate(bundle.lines("signed", "device epoch seq leaf signature"), 1):
            of = self.signed.setdefault((unhex(s["device"], 16), unhex(s["epoch"], 16)), {})
            need(is_int(s["seq"], 1) and s["seq"] not in of, "a signed head without a sequence, or twice")
            of[s["seq"]] = unhex(s["leaf"], 32), unhex(s["signature"], 64)
        need(is_int(self.m["signed_heads"]) and n == self.m["signed_heads"], "the manifest counts other signed heads")
        self.next_doubt()

    def next_doubt(self):
        self.doubt = next(self.doubts, None)
        self.doubted += self.doubt is not None

    def take(self, place, r, heads):
        """Is given each record when its chain has gone on."""
        b = r["body"]
        at = r["device"], r["epoch"]
        if r["kind"] == "chain.bridged":
            at = unhex(b["device"], 16), unhex(b["epoch"], 16)
            if b["why"] == "quarantined":
                need(b["first"] == b["last"], "quarantines more than one record")
                self.kept[b["device"], b["epoch"], b["last"]] = b["leaf"], b.get("said") if type(b.get("said")) is str else ""
        if r["kind"] == "chain.bridged" or r["kind"] in DEVICE_KINDS:
            seq, leaf = heads[at]
            need(self.signed.get(at, {}).get(seq, (leaf,))[0] == leaf, "is not the one that its device signed")
        if self.doubt is not None and self.doubt["place"] == place and is_int(self.doubt["place"]):
            need(r["kind"] in DEVICE_KINDS and type(self.doubt["doubt"]) is str and self.doubt["doubt"], "has an unfit line in doubts.ndjson")
            self.next_doubt()

    def finish(self, public, heads):
        need(self.doubt is None, "doubts.ndjson goes on behind the last record, or a line of it is out of order")
        need(is_int(self.m["doubts"]) and self.doubted == self.m["doubts"], "the manifest counts other doubts")
        for at, of in self.signed.items():
            need(at[0] in public, "device", at[0].hex(), "which signed a head, is not listed")
            head = heads.get(at, (0,))[0]
            for seq, (leaf, signature) in of.items():
                said = b"stead-head/v1\0" + encode({0: at[0], 1: at[1], 2: seq, 3: leaf})
                need(signed(public[at[0]], said, signature), "device", at[0].hex(), "did not sign the head of", seq, "records")
                need(seq >= head, "device", at[0].hex(), "signed its chain to", seq, "and it goes on to", head)
                self.fully += seq == head
            self.claimed += max(0, max(of) - head)
        n = 0
        for n, q in enumerate(self.b.lines("quarantined", "device epoch seq said envelope"), 1):
            leaf, said = self.kept.pop((q["device"], q["epoch"], q["seq"]), (None, None))
            need(is_int(q["seq"]) and leaf and said == q["said"] and (q["envelope"] is None) == self.m["redacted"], "quarantined.ndjson, line", n, "is not what the records say")
            if q["envelope"] is not None:
                raw = base64.b64decode(q["envelope"], validate=True)
                need(base64.b64encode(raw).decode() == q["envelope"] and leaf_of(raw).hex() == leaf, "quarantined.ndjson, line", n, "is not what was kept")
        need(not self.kept, "what was quarantined is not there")
        need(is_int(self.m["quarantined"]) and n == self.m["quarantined"], "the manifest counts other quarantined records")
