"""Sections 1 to 8 of FORMAT.md: records, chains, the tree, checkpoints; and how its JSON is written. verify.py checks a bundle with it.

It was written from that document alone; numbers in brackets are its sections.
"""
import base64
import hashlib
import json
import re
import struct

DEVICE_KINDS = {"session.intent", "session.outcome", "session.observed_end", "session.observed", "device.recovery"}
KINDS = DEVICE_KINDS | {
    "session.started", "session.opened", "session.ended", "session.refused", "session.action", "member.searched",
    "member.viewed", "identity.checked", "note.written", "enrolment.issued", "device.enrolled", "staff.claimed",
    "chain.bridged", "device.alarm", "device.revoked", "ledger.key", "ledger.restored", "texts.erased", "hold.placed",
    "hold.released", "handoff.reused", "session.mismatch"}
NAMES = ("version device epoch seq prev wall_ms boot_id mono_ms server_offset_ms kind event_id session actor subject ref"
         " commitments body key_id").split()
BYTES = {"device": 16, "epoch": 16, "prev": 32, "boot_id": 16, "event_id": 16, "actor": 16, "key_id": 8}
START = (0, bytes(32))  # the head before the first record of a chain


class Broken(Exception):
    """What was found contradicts itself."""


def need(condition, *what):
    if not condition:
        raise Broken(" ".join(str(w) for w in what))


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


# Ed25519, RFC 8032 section 5.1: verification only.
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def point(b):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - xx) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed(key, message, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    a, s = point(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus = (P - a[0], a[1], 1, P - a[3])
    table, r = [None, BASE, minus, add(BASE, minus)], (0, 1, 1, 0)
    for i in range(255, -1, -1):  # s·B - k·A in one go
        r = add(r, r)
        which = (s >> i & 1) + 2 * (k >> i & 1)
        if which:
            r = add(r, table[which])
    z = pow(r[2], P - 2, P)
    x, y = r[0] * z % P, r[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]


# [1] CBOR in its one encoding.
def item(b, at, depth=0):
    """Returns the item that begins there and where the next one does."""
    need(at < len(b) and depth <= 4, "CBOR: cut short or nested too deep")
    kind, n = b[at] >> 5, b[at] & 31
    at += 1
    if kind == 7:
        need(n in (20, 21, 22), "CBOR: a simple value or number that has no place here")
        return {20: False, 21: True, 22: None}[n], at
    need(n < 28 and kind != 6, "CBOR: a tag or an indefinite length")
    if n >= 24:
        width = 1 << (n - 24)
        need(at + width <= len(b), "CBOR: cut short")
        n = int.from_bytes(b[at:at + width], "big")
        at += width
        need(n >= (24 if width == 1 else 1 << 4 * width), "CBOR: not the shortest form")
    if kind < 2:
        return (n if kind == 0 else -1 - n), at
    if kind < 4:
        need(at + n <= len(b), "CBOR: cut short")
        raw = bytes(b[at:at + n])
        return (raw if kind == 2 else raw.decode("utf-8")), at + n
    if kind == 4:
        out = []
        for _ in range(n):
            value, at = item(b, at, depth + 1)
            out.append(value)
        return out, at
    pairs, last = {}, None
    for _ in range(n):
        begin = at
        key, at = item(b, at, depth + 1)
        need(type(key) in (int, str) and (last is None or b[begin:at] > last), "CBOR: map keys out of order")
        last = b[begin:at]
        pairs[key], at = item(b, at, depth + 1)
    return pairs, at


def whole(b):
    value, end = item(b, 0)
    need(end == len(b), "CBOR: something follows")
    need(type(value) is dict, "CBOR: not a map")
    return value


def encode(v):
    """Encodes what section 1 allows; for the messages that are signed."""
    def head(kind, n):
        if n < 24:
            return bytes([kind << 5 | n])
        w = next(i for i in range(4) if n < 1 << (8 << i))
        return bytes([kind << 5 | 24 + w]) + n.to_bytes(1 << w, "big")
    if type(v) is int:
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if type(v) is bytes:
        return head(2, len(v)) + v
    if type(v) is str:
        return head(3, len(v.encode())) + v.encode()
    return head(5, len(v)) + b"".join(sorted(encode(k) + encode(x) for k, x in v.items()))


def is_int(v, low=-2**63, high=2**63 - 1):
    return type(v) is int and low <= v <= high


def is_name(v):
    return type(v) is str and 1 <= len(v.encode()) <= 40


def version7(b):
    return type(b) is bytes and len(b) == 16 and b[6] >> 4 == 7 and b[8] >> 6 == 2


def record(envelope):
    """[1] [2] [4] Decodes an envelope; its body as a map, its commitments as a map from name to hash."""
    need(len(envelope) <= 65535, "larger than 65,535 bytes")
    m = whole(envelope)
    need(list(m) == list(range(18)), "its keys are not 0 to 17")
    r = {name: m[i] for i, name in enumerate(NAMES)}
    need(is_int(r["version"], 1, 1), "another version")
    for name, n in BYTES.items():
        need(type(r[name]) is bytes and len(r[name]) == n, name, "is not", n, "bytes")
    need(r["device"] != bytes(16), "no device")
    need(is_int(r["seq"], 0, 2**64 - 1) and is_int(r["wall_ms"]) and is_int(r["mono_ms"], 0), "a number out of its range")
    need(r["server_offset_ms"] is None or is_int(r["server_offset_ms"]), "server_offset_ms out of its range")
    need(r["kind"] in KINDS if type(r["kind"]) is str else False, "unknown kind")
    need(version7(r["event_id"]) and (r["ref"] is None or version7(r["ref"])), "event_id or ref is no UUID of version 7")
    for name in ("session", "subject"):
        v = r[name]
        need(v is None or type(v) is bytes and len(v) == 16 and v != bytes(16), name, "is neither null nor 16 bytes")
    need(type(r["commitments"]) is list and len(r["commitments"]) <= 16, "commitments are no list of at most 16")
    for c in r["commitments"]:
        need(type(c) is list and len(c) == 2 and is_name(c[0]) and type(c[1]) is bytes and len(c[1]) == 32, "a commitment is no pair")
    names = [c[0].encode() for c in r["commitments"]]
    need(names == sorted(set(names)), "commitments are not sorted, each once")
    r["commitments"] = dict(r["commitments"])
    need(type(r["body"]) is bytes, "body is no byte string")
    r["body"] = whole(r["body"])
    need(len(r["body"]) <= 32 and all(is_name(k) for k in r["body"]), "body has too many or unfit keys")
    need(all(type(v) in (str, bool) or is_int(v) for v in r["body"].values()), "body has an unfit value")
    first = r["prev"] == bytes(32)
    if r["kind"] in DEVICE_KINDS:
        need(r["seq"] > 0 and r["key_id"] != bytes(8) and first == (r["seq"] == 1), "not a place in a device's chain")
    else:
        need(r["seq"] == 0 and first, "a record of the platform in a chain")
    return r


def leaf_of(envelope):
    return sha(b"\0", envelope)


def commitment(name, salt, value):
    return sha(b"stead-commitment/v1\0", struct.pack(">I", len(name.encode())), name.encode(), salt, value.encode())


def unhex(s, n):
    need(type(s) is str and re.fullmatch("[0-9a-f]{%d}" % (2 * n), s), "not", n, "bytes in lower-case hex")
    return bytes.fromhex(s)


class Chains:
    """[5] The heads of all chains."""

    def __init__(self):
        self.heads, self.bridged = {}, 0

    def take(self, r, leaf):
        if r["kind"] == "chain.bridged":
            b = r["body"]
            at = unhex(b.get("device"), 16), unhex(b.get("epoch"), 16)
            first, last, leaf = b.get("first"), b.get("last"), unhex(b.get("leaf"), 32)
            need(is_int(first, 1) and is_int(last, first) and type(b.get("why")) is str and b["why"], "is no whole bridge")
            need(first == self.heads.get(at, START)[0] + 1, "is a bridge that does not begin at the chain's head")
            self.heads[at] = last, leaf
            self.bridged += last - first + 1
        elif r["kind"] in DEVICE_KINDS:
            at = r["device"], r["epoch"]
            seq, prev = self.heads.get(at, START)
            need(r["seq"] == seq + 1, "has sequence", r["seq"], "in its device's chain, where", seq + 1, "belongs")
            need(r["prev"] == prev, "does not follow the record before it in its device's chain")
            self.heads[at] = r["seq"], leaf

    def follow(self, envelopes):
        for e in envelopes:
            e = bytes.fromhex(e)
            self.take(record(e), leaf_of(e))


class Tree:
    """[7] The root while leaves are added."""

    def __init__(self):
        self.size, self.edge = 0, []

    def add(self, h):
        n = self.size
        while n & 1:
            h, n = sha(b"\1", self.edge.pop(), h), n >> 1
        self.edge.append(h)
        self.size += 1

    def root(self):
        if not self.edge:
            return sha()
        h = self.edge[-1]
        for left in reversed(self.edge[:-1]):
            h = sha(b"\1", left, h)
        return h


def parse_keys(text):
    """[8] Returns a map from (name, id) to public key."""
    keys = {}
    for line in text.decode("utf-8").split("\n"):
        line = line.strip(" \t\v\f\r\x85\xa0")
        if line and not line.startswith("#"):
            name, number, key = (line.split("+", 2) + ["", ""])[:3]
            raw = base64.b64decode(key, validate=True)
            need(name and not re.search(r"\s", name) and len(raw) == 33 and raw[0] == 1, "not a verifier key:", line)
            need(re.fullmatch("[0-9a-fA-F]{8}", number), "not a verifier key:", line)
            number = bytes.fromhex(number)
            need(number == sha(name.encode(), b"\n", raw)[:4], "the id is not that of the key:", line)
            need((name, number) not in keys, "a key twice:", line)
            keys[name, number] = raw[1:]
    need(keys, "there is no key")
    return keys


def open_note(note, keys, signatures=True):
    """[8] Returns the text of a signed note, and which of the keys, by name and id, signed it."""
    need(len(note) <= 16384 and not re.search(rb"[\x00-\x09\x0b-\x1f]", note), "not a signed note")
    text, divider, tail = note.decode("utf-8").rpartition("\n\n")
    need(divider and tail.endswith("\n"), "a note without a signature")
    text += "\n"
    signers, lines = set(), tail[:-1].split("\n")
    need(len(lines) <= 100, "too many signatures")
    for line in lines:
        m = re.fullmatch("— (\\S+) ([A-Za-z0-9+/=]+)", line)
        need(m and "+" not in m[1], "not a signature line")
        raw = base64.b64decode(m[2], validate=True)
        need(len(raw) >= 5, "a signature is too short")
        key = keys.get((m[1], raw[:4]))
        if key is not None:
            need(not signatures or signed(key, text.encode(), raw[4:]), "the signature of", m[1], "is wrong")
            signers.add((m[1], raw[:4]))
    return text, signers


def checkpoint(note, keys, signatures=True):
    """[8] Returns origin, size and root, and the known keys that signed it, of which one has the origin as its name."""
    text, signers = open_note(note, keys, signatures)
    parts = text.split("\n")
    need(len(parts) >= 4 and parts[0] and "" not in parts[:-1], "a checkpoint has three lines")
    need(re.fullmatch("0|[1-9][0-9]{0,18}", parts[1]) and int(parts[1]) < 2**63, "its size is no number")
    root = base64.b64decode(parts[2], validate=True)
    need(len(root) == 32 and base64.b64encode(root).decode() == parts[2], "its root is not 32 bytes")
    signers = {s for s in signers if s[0] == parts[0]} or need(not signers, "it was signed for another log")
    return parts[0], int(parts[1]), root, signers or set()


def same(a, b):
    """Equal, and of the same types: in Python true is 1."""
    return json.dumps(a) == json.dumps(b)


def shape(v, keys):
    need(type(v) is dict and list(v) == keys, "the keys are not", ", ".join(keys))


def canonical(raw, keys, indent=None):
    """[9] JSON in the one way to write it."""
    v = json.loads(raw.decode("utf-8"))
    again = json.dumps(v, ensure_ascii=False, indent=indent, separators=None if indent else (",", ":")) + ("\n" if indent else "")
    need(again.encode("utf-8") == raw, "it is not written in the one way")
    shape(v, keys)

    def numbers(x):
        need(type(x) in (str, bool, list, dict, type(None)) or is_int(x), "a number out of its range")
        for y in (x if type(x) is list else x.values() if type(x) is dict else ()):
            numbers(y)
    numbers(v)
    return v


def vectors(path):
    """[12] Holds everything above against the vectors; returns how many there are."""
    with open(path, encoding="utf-8") as f:
        v = json.load(f)
    done, public = 0, bytes.fromhex(v["key"]["public"])

    def same(name, got, want):
        nonlocal done
        done += 1
        need(got == want, name, "differs from the vector")

    def refused(name, f, *args):
        nonlocal done
        done += 1
        try:
            f(*args)
        except (Broken, ValueError, RecursionError):
            return
        raise Broken(f"{name}: was not refused")

    same("key_id", sha(public)[:8].hex(), v["key"]["key_id"])
    for t in v["texts"]:
        same(t["name"], commitment(t["name"], bytes.fromhex(t["salt"]), t["value"]).hex(), t["commitment"])
    for x in v["records"]:
        envelope, said = bytes.fromhex(x["envelope"]), dict(x["record"], version=1)
        got = {k: b.hex() if type(b) is bytes else b for k, b in record(envelope).items()}
        got["commitments"] = [[n, h.hex()] for n, h in got["commitments"].items()]
        same(x["name"], got, said)
        same(x["name"], leaf_of(envelope).hex(), x["leaf"])
    for x in v["refused"]:
        refused(x["name"], record, bytes.fromhex(x["bytes"]))
    c, h = Chains(), v["chain"]["head"]
    c.follow(v["chain"]["envelopes"])
    at = bytes.fromhex(h["device"]), bytes.fromhex(h["epoch"])
    same("head", c.heads, {at: (h["seq"], bytes.fromhex(h["leaf"]))})
    start, handoff, enrol = (v["claims"][k] for k in ("start", "handoff", "enrol"))
    for x, prefix, fields in (
            (v["chain"], b"stead-head/v1\0", [*at, h["seq"], bytes.fromhex(h["leaf"])]),
            (start, b"stead-start/v1\0", [bytes.fromhex(start["device"]), bytes.fromhex(start["epoch"]), start["seq"],
                                          bytes.fromhex(start["leaf"]), start["member"], start["request_key"]]),
            (handoff, b"stead-handoff/v1\0", [bytes.fromhex(handoff["device"]), bytes.fromhex(handoff["session"].replace("-", "")),
                                              handoff["code"]]),
            (enrol, b"stead-enrol/v1\0", [enrol["code"], bytes.fromhex(enrol["public_key"]), enrol["name"]])):
        message, signature = prefix + encode(dict(enumerate(fields))), bytearray.fromhex(x["signature"])
        same(prefix, signed(public, message, bytes(signature)), True)
        signature[done % 64] ^= 1
        same(prefix, signed(public, message, bytes(signature)), False)
    tree = Tree()
    for i, root in enumerate(v["tree"]["roots"]):
        same(f"root of {i}", tree.root().hex(), root)
        if i < len(v["tree"]["leaves"]):
            tree.add(bytes.fromhex(v["tree"]["leaves"][i]))
    keys = parse_keys("\n".join(v["notes"]["keys"]).encode())
    for x in v["notes"]["list"]:
        if not x["good"]:
            refused(x["name"], lambda note: need(checkpoint(note, keys)[3], "no known key"), x["note"].encode())
            continue
        same(x["name"], checkpoint(x["note"].encode(), keys)[:3], (x["origin"], x["size"], bytes.fromhex(x["root"])))
    for x in v["bridge"]:
        c = Chains()
        if not x["good"]:
            refused(x["name"], c.follow, x["envelopes"])
            continue
        c.follow(x["envelopes"])
        same(x["name"], (c.bridged, c.heads), (x["bridged"], {(bytes.fromhex(x["device"]), bytes.fromhex(x["epoch"])):
                                                              (x["seq"], bytes.fromhex(x["leaf"]))}))
    return done
