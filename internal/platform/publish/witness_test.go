package publish_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"stead/internal/audit"

	"stead/internal/platform/publish"
	"stead/internal/platform/store"
)

// witness is one written from c2sp.org/tlog-witness and c2sp.org/tlog-cosignature, with no code of ours.
type witness struct {
	*httptest.Server
	name string
	key  ed25519.PrivateKey
	vkey string

	mu     sync.Mutex
	log    note.Verifier
	size   int64
	root   tlog.Hash
	asked  []string // answers, by status and size
	forget bool     // the next answer gets lost
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	w := &witness{name: "witness.test/w1", key: signer(31)}
	w.vkey = fmt.Sprintf("%s+%x+%s", w.name, w.id(), base64.StdEncoding.EncodeToString(w.typed()))
	vkey, err := audit.LogKey(origin, signer(1).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if w.log, err = note.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

func (w *witness) typed() []byte {
	return append([]byte{4}, w.key.Public().(ed25519.PublicKey)...)
}

func (w *witness) id() []byte {
	sum := sha256.Sum256(append([]byte(w.name+"\n"), w.typed()...))
	return sum[:4]
}

func (w *witness) config() publish.Witness {
	return publish.Witness{URL: w.URL + "/prefix/", Key: w.vkey}
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/prefix/add-checkpoint" {
		out.WriteHeader(http.StatusNotFound)
		return
	}
	status, answer := w.add(string(body))
	w.asked = append(w.asked, fmt.Sprintf("%d:%d", status, w.size))
	if status == http.StatusOK && w.forget {
		w.forget = false
		status, answer = http.StatusBadGateway, ""
	}
	if status == http.StatusConflict {
		out.Header().Set("Content-Type", "text/x.tlog.size")
		answer = fmt.Sprintf("%d\n", w.size)
	}
	out.WriteHeader(status)
	_, _ = io.WriteString(out, answer)
}

// add is add-checkpoint.
func (w *witness) add(body string) (status int, answer string) {
	head, signed, found := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !found || err != nil || !strings.HasPrefix(lines[0], "old ") || len(lines) > 64 {
		return http.StatusBadRequest, ""
	}
	n, err := note.Open([]byte(signed), note.VerifierList(w.log))
	if err != nil {
		return http.StatusForbidden, ""
	}
	tree, err := parseTree(n.Text)
	switch {
	case err != nil || old > tree.N:
		return http.StatusBadRequest, ""
	case old != w.size, old == tree.N && tree.Hash != w.root:
		return http.StatusConflict, ""
	}
	proof, err := parseProof(lines[1:])
	if err != nil || old == 0 && len(proof) > 0 {
		return http.StatusBadRequest, ""
	}
	if old > 0 && old < tree.N && tlog.CheckTree(proof, tree.N, tree.Hash, old, w.root) != nil {
		return http.StatusUnprocessableEntity, ""
	}
	w.size, w.root = tree.N, tree.Hash
	at := uint64(time.Now().Unix())
	sig := ed25519.Sign(w.key, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, n.Text)))
	raw := append(binary.BigEndian.AppendUint64(append([]byte{}, w.id()...), at), sig...)
	return http.StatusOK, fmt.Sprintf("— %s %s\n", w.name, base64.StdEncoding.EncodeToString(raw))
}

func parseTree(text string) (tlog.Tree, error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != origin {
		return tlog.Tree{}, errors.New("not of this log")
	}
	size, err1 := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, errors.Join(err1, err2)
}

func parseProof(lines []string) (proof tlog.TreeProof, err error) {
	for _, l := range lines {
		h, err := tlog.ParseHash(l)
		if err != nil {
			return nil, err
		}
		proof = append(proof, h)
	}
	return proof, nil
}

func (w *witness) answers() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.asked, " ")
}

func TestAWitnessSignsAsWell(t *testing.T) {
	h, w := fresh(t), newWitness(t)
	h.grow(3)
	p, stop := h.publish(publish.Config{Witness: w.config()})
	h.until(p, "the first", at(3))
	h.grow(4)
	h.until(p, "the second", at(7))
	h.cosigned(w, 7)
	if got := w.answers(); got != "200:3 200:7" {
		t.Errorf("%s", got)
	}
	stop()
	// The next platform does not know how far the witness is, and there is nothing new.
	p, stop = h.publish(publish.Config{Witness: w.config()})
	h.until(p, "the same once more", at(7))
	stop()
	h.grow(5)
	w.mu.Lock()
	w.forget = true // it signs, and the answer gets lost
	w.mu.Unlock()
	p, _ = h.publish(publish.Config{Witness: w.config()})
	h.until(p, "an answer that got lost", at(12))
	h.cosigned(w, 12)
	if got := w.answers(); got != "200:3 200:7 409:7 200:7 409:7 200:12 409:12 200:12" {
		t.Errorf("%s", got)
	}
}

// cosigned checks what is stored of the witness's newest signature.
func (h *house) cosigned(w *witness, size int64) {
	h.Helper()
	key, err := audit.ParseWitness(w.vkey)
	if err != nil {
		h.Fatal(err)
	}
	if err := h.store.View(h.Context(), func(tx store.Tx) error {
		c, err := tx.Cosignature()
		if err != nil {
			return err
		}
		n, err := note.Open([]byte(c.Note), note.VerifierList(w.log, key))
		if err != nil || len(n.Sigs) != 2 || c.Size != size || c.Witness != w.name || time.Since(c.At) > time.Minute {
			h.Errorf("%+v, %v", c, err)
		}
		return nil
	}); err != nil {
		h.Fatal(err)
	}
}

// TestAWitnessHoldsTheLogToItsWord: set back, and grown again with other records.
func TestAWitnessHoldsTheLogToItsWord(t *testing.T) {
	for name, c := range map[string]struct {
		grow int // after it was set back to 3 from 7
	}{"set back": {0}, "the same size": {4}, "beyond it": {9}} {
		t.Run(name, func(t *testing.T) {
			h, w := fresh(t), newWitness(t)
			h.grow(3)
			backup := h.copyOf()
			p, stop := h.publish(publish.Config{Witness: w.config()})
			h.until(p, "the first", at(3))
			h.grow(4)
			h.until(p, "the last", at(7))
			stop()
			back := newHouse(t, backup)
			if c.grow > 0 {
				back.grow(c.grow)
			}
			p, stop = back.publish(publish.Config{Witness: w.config(), People: people(t)})
			back.until(p, name, contradicts)
			stop()
			if back.log.count("ALARM") != 1 {
				t.Errorf("%v", back.log.lines)
			}
		})
	}
}

func TestADeclaredRestoreIsNoAlarmAtTheWitness(t *testing.T) {
	h, w := fresh(t), newWitness(t)
	h.grow(3)
	backup := h.copyOf()
	h.grow(4)
	p, stop := h.publish(publish.Config{Witness: w.config()})
	h.until(p, "the last", at(7))
	stop()
	back := newHouse(t, backup)
	back.declare(7)
	p, _ = back.publish(publish.Config{Witness: w.config(), People: people(t)})
	s := back.until(p, "declared", func(s publish.State) bool { return s.Problem != "" })
	if s.Contradicts || !strings.Contains(s.Problem, "operator has to be told") || back.log.count("ALARM") != 0 {
		t.Errorf("%+v, %v", s, back.log.lines)
	}
}

// TestAWitnessThatIsAnother: a signature that does not verify under the pinned key is none.
func TestAWitnessThatIsAnother(t *testing.T) {
	h, w := fresh(t), newWitness(t)
	pinned := w.config()
	w.key = signer(32)
	h.grow(1)
	p, _ := h.publish(publish.Config{Witness: pinned})
	h.until(p, "another key", func(s publish.State) bool { return strings.Contains(s.Problem, "signature is no good") })
	if err := h.store.View(t.Context(), func(tx store.Tx) error {
		_, err := tx.Cosignature()
		return err
	}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("it was stored: %v", err)
	}
}
