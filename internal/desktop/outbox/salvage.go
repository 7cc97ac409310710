package outbox

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"stead/internal/audit"
	"stead/internal/stead"
)

// salvage is what can be saved of a damaged file: of each place at most one record, in order.
type salvage struct {
	card    *card      // of the epoch the file wrote last; nil when none was found
	sealed  bool       // no card opens with this keyring, and one is sealed for the platform
	head    audit.Head // the last one that is validly signed; zero when none is
	acked   mark       // the last one that fits the records or the head; zero when none does
	good    audit.Head // the end of what connects to acked
	keep    []spot
	keys    []dataKey
	missing string
	proof   *proof // what was known of the log; nil when nothing was found
	owed    [][]byte
}

// plan decides what is saved from what was found. What the file says of acknowledgements is believed only where the
// chain confirms it. Of a file that another device key signed nothing is saved, though the keyring opens it: nobody here
// can sign for its records any more, so it is left to the platform like one that stays closed.
func plan(f *finds, cfg Config) salvage {
	if !f.ours(cfg) {
		f.keys, f.proof = nil, nil
	}
	s := salvage{keys: f.keys, owed: f.owed, proof: f.proof}
	ranked := f.ranked(cfg)
	for _, c := range ranked {
		s.sealed = s.sealed || len(f.keys) == 0 && len(c.Platform) > 0
	}
	if len(ranked) == 0 {
		return s
	}
	s.card, s.head = &ranked[0].card, ranked[0].head
	if len(f.keys) == 0 {
		return s // what cannot be opened or signed for here is not missing
	}
	chains := map[audit.Epoch][]spot{}
	for _, p := range f.spots {
		chains[p.epoch] = append(chains[p.epoch], p)
	}
	s.last(chains[s.card.Epoch], f)
	delete(chains, s.card.Epoch)
	for _, c := range ranked[1:] {
		if chain := chains[c.Epoch]; c.opens && c.Epoch != s.card.Epoch && (len(chain) > 0 || c.head.Seq > 0) {
			s.also(c, chain, f)
			delete(chains, c.Epoch)
		}
	}
	for _, chain := range chains {
		s.keep = append(s.keep, one(chain, audit.Head{})...) // it was salvaged before
	}
	slices.SortFunc(s.keep, spot.compare)
	return s
}

func (p spot) compare(q spot) int {
	return cmp.Or(bytes.Compare(p.epoch[:], q.epoch[:]), cmp.Compare(p.seq, q.seq), bytes.Compare(p.leaf[:], q.leaf[:]))
}

// also takes over the chain of another card that opens. A file has one card; who writes a second one into it copies the
// key, and must not hide what is missing of the epoch that the device itself wrote.
func (s *salvage) also(c ranked, chain []spot, f *finds) {
	other := salvage{card: &c.card, head: c.head}
	other.last(chain, f)
	s.keep = append(s.keep, other.keep...)
	if other.missing != "" {
		s.missing = more(s.missing, c.Epoch.String()+" "+other.missing)
	}
}

// ranked is a card and what speaks for it.
type ranked struct {
	card
	head  audit.Head // the highest of its epoch that is validly signed; zero when none is
	opens bool       // with this machine's keyring, and it names this device
}

// ranked returns the cards, the one of the last epoch first: one that opens before one that does not, one that has a
// signed head before one that has none, and then by generation.
func (f *finds) ranked(cfg Config) []ranked {
	key, _ := cfg.Signer.Public().(ed25519.PublicKey) // complete has looked
	var out []ranked
	for _, c := range f.cards {
		opens := stead.DeviceID(c.Device) == cfg.Device && slices.ContainsFunc(f.keys, func(k dataKey) bool { return bytes.Equal(k.card.encode(), c.encode()) })
		out = append(out, ranked{card: c, head: newestHead(f.heads, c, key), opens: opens})
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		return cmp.Or(first(a.opens, b.opens), first(a.head.Seq > 0, b.head.Seq > 0), cmp.Compare(b.Generation, a.Generation))
	})
	return out
}

// first puts what is true before what is not.
func first(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// ours reports whether cfg's key wrote what was found, and forgets the records that another one wrote. The card names
// the device, each record the key. The head's signature cannot decide it: a damaged one looks like another key's.
func (f *finds) ours(cfg Config) bool {
	if !slices.ContainsFunc(f.keys, func(k dataKey) bool { return stead.DeviceID(k.card.Device) == cfg.Device }) {
		return false
	}
	all := len(f.spots)
	f.spots = slices.DeleteFunc(f.spots, func(s spot) bool { return s.device != cfg.Device || s.signer != cfg.KeyID })
	return all == 0 || len(f.spots) > 0
}

// newestHead returns the highest head of the card's epoch whose signature is valid.
func newestHead(heads map[mark][]byte, c card, key ed25519.PublicKey) audit.Head {
	all := make([]mark, 0, len(heads))
	for m := range heads {
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b mark) int { return cmp.Compare(b.Seq, a.Seq) })
	for _, m := range all[:min(len(all), maxCandidates)] {
		h := audit.Head{Device: stead.DeviceID(c.Device), Epoch: c.Epoch, Seq: m.Seq, Leaf: m.Leaf}
		if audit.VerifyHead(key, h, heads[m]) == nil {
			return h
		}
	}
	return audit.Head{}
}

// maxCandidates is how many of each kind that prove to be nothing are looked at: one file may claim anything.
const maxCandidates = 4096

// one picks one record for each place of a chain, in order. A place can have two: a commit that failed leaves
// its pages behind. The chain decides, from the signed head down; where it cannot, the first one stays.
func one(chain []spot, head audit.Head) []spot {
	slices.SortFunc(chain, spot.compare)
	var picked []spot
	for end := len(chain); end > 0; {
		begin := end - 1
		for begin > 0 && chain[begin-1].seq == chain[end-1].seq {
			begin--
		}
		here := chain[begin:end]
		want := head.Leaf
		if n := len(picked); n > 0 && picked[n-1].seq == here[0].seq+1 {
			want = picked[n-1].prev
		} else if head.Seq != here[0].seq {
			want = [32]byte{}
		}
		i := max(slices.IndexFunc(here, func(s spot) bool { return s.leaf == want }), 0)
		picked, end = append(picked, here[i]), begin
	}
	slices.Reverse(picked)
	return picked
}

// last takes over the chain of the epoch the file wrote last: what is kept of it, and what is missing. Records that are
// acknowledged and not receipted are sent again, which does no harm.
func (s *salvage) last(chain []spot, f *finds) {
	chain = one(chain, s.head)
	leaves := map[uint64][32]byte{0: {}, s.head.Seq: s.head.Leaf}
	for _, p := range chain {
		leaves[p.seq-1] = p.prev
	}
	for _, p := range chain {
		leaves[p.seq] = p.leaf
	}
	s.acked = newest(f.acked, leaves)
	from := s.acked
	if len(f.given) > 0 {
		from = newest(f.given, leaves)
	}
	s.good = audit.Head{Device: stead.DeviceID(s.card.Device), Epoch: s.card.Epoch, Seq: from.Seq, Leaf: from.Leaf}
	var gaps []string
	next := s.acked.Seq + 1
	for _, p := range chain {
		if p.seq <= from.Seq {
			continue
		}
		if p.seq == s.good.Seq+1 && p.prev == s.good.Leaf {
			s.good.Seq, s.good.Leaf = p.seq, p.leaf
		}
		s.keep = append(s.keep, p)
		if p.seq >= next {
			gaps, next = gap(gaps, next, p.seq-1), p.seq+1
		}
	}
	if s.good.Seq < s.acked.Seq {
		s.good.Seq, s.good.Leaf = s.acked.Seq, s.acked.Leaf
	}
	s.missing = bounded(gap(gaps, next, s.head.Seq))
}

// newest is the highest mark that the chain confirms.
func newest(marks map[mark]bool, leaves map[uint64][32]byte) (out mark) {
	for m := range marks {
		if leaf, ok := leaves[m.Seq]; ok && leaf == m.Leaf && m.Seq > out.Seq {
			out = m
		}
	}
	return out
}

func gap(gaps []string, first, last uint64) []string {
	switch {
	case first == last:
		return append(gaps, fmt.Sprint(first))
	case first < last:
		return append(gaps, fmt.Sprintf("%d-%d", first, last))
	}
	return gaps
}

// maxMissing is how many ranges a recovery record names.
const maxMissing = 50

func bounded(gaps []string) string {
	if n := len(gaps) - maxMissing; n > 0 {
		gaps = append(gaps[:maxMissing:maxMissing], fmt.Sprintf("and %d ranges more", n))
	}
	return strings.Join(gaps, ", ")
}

// facts is what the recovery record says.
func (s salvage) facts(why string, sum [32]byte) audit.Body {
	b := audit.Body{"why": why, "evidence_sha256": hex.EncodeToString(sum[:]), "salvaged": int64(len(s.keep))}
	if s.missing != "" {
		b["missing"] = s.missing
	}
	if len(s.keys) == 0 {
		b["unreadable"], b["sealed"] = true, s.sealed // here; and whether the platform can read it
	}
	if s.card != nil {
		b["prev_device"], b["prev_epoch"] = s.card.Device, s.card.Epoch.String()
	}
	if s.head.Seq > 0 {
		b["last_signed_seq"] = int64(s.head.Seq) //nolint:gosec // G115: a count of records
	}
	if s.good.Seq > 0 {
		b["last_good_seq"], b["last_good_leaf"] = int64(s.good.Seq), hex.EncodeToString(s.good.Leaf[:]) //nolint:gosec // G115: a count of records
	}
	return b
}

// salvageAtOnce is how many records one transaction saves.
const salvageAtOnce = 1000

// into seals the saved records with the new file's key and stores them there, under their own epoch.
func (s salvage) into(f *file, r io.ReaderAt) error {
	for part := range slices.Chunk(s.keep, salvageAtOnce) {
		err := f.update(func(tx *bolt.Tx) error {
			b := tx.Bucket(salvagedBucket)
			for _, p := range part {
				if err := s.move(f, b, r, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s salvage) move(f *file, b *bolt.Bucket, r io.ReaderAt, p spot) error {
	value := make([]byte, p.size)
	if _, err := r.ReadAt(value, p.at); err != nil {
		return fmt.Errorf("record %d: %w", p.seq, err)
	}
	k := s.keys[p.key]
	rec, err := audit.OpenRecord(k.aead, k.card.Generation, p.epoch, p.seq, value)
	if err != nil {
		return err
	}
	if value, err = audit.SealRecord(f.aead, f.generation, p.epoch, p.seq, rec); err != nil {
		return err
	}
	return b.Put(salvagedKey(p.epoch, p.seq), value)
}

func salvagedKey(epoch audit.Epoch, seq uint64) []byte { return append(epoch[:], seqKey(seq)...) }
