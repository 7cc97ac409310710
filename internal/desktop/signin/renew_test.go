package signin

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stead/internal/stead"
)

func TestRefreshRotatesAndSurvivesARestart(t *testing.T) {
	s := stage(t)
	s.begin(t)
	first, before := s.token(t), s.stored(t)
	s.age(61 * time.Second)
	if s.token(t) != first || s.idp.refreshes() != 0 {
		t.Error("refreshed with a minute left")
	}
	s.age(59 * time.Second)
	second := s.token(t)
	if second == first || s.idp.refreshes() != 1 || s.stored(t) == before {
		t.Errorf("refreshes: %d; stored anew: %v", s.idp.refreshes(), s.stored(t) != before)
	}
	_ = s.Close()

	again := s.idp.desk(t, s.cfg.File)
	if !again.SignedIn() {
		t.Error("not signed in after a restart")
	}
	if third := again.token(t); third == second || s.idp.refreshes() != 2 {
		t.Errorf("after a restart: %d refreshes", s.idp.refreshes())
	}
	if good := s.idp.good(); len(good) != 1 || again.stored(t) != good[0] {
		t.Error("the stored refresh token is not the newest")
	}
}

// The provider looks into the file between its answer and the caller's: the new token must be there first.
func TestRotatedTokenIsStoredBeforeTheAccessTokenIsUsed(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.age(0)
	s.token(t)
	if good := s.idp.good(); len(good) != 1 || s.stored(t) != good[0] {
		t.Fatal("not stored")
	}

	s.age(0)
	folder := filepath.Dir(s.cfg.File)
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		token, err := s.Token(t.Context())
		if token != "" {
			t.Error("a token was handed out")
		}
		wantCode(t, err, stead.CodeDataReadOnly, "could not be stored")
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	s.token(t)
	if good := s.idp.good(); s.idp.refreshes() != 2 || len(good) != 1 || s.stored(t) != good[0] {
		t.Errorf("%d refreshes; the rotated token was lost", s.idp.refreshes())
	}
}

func TestProviderThatDoesNotRotate(t *testing.T) {
	s := stage(t)
	s.begin(t)
	before := s.stored(t)
	written, err := os.Stat(s.cfg.File)
	if err != nil {
		t.Fatal(err)
	}
	s.idp.response = func(r map[string]any) { delete(r, "refresh_token") }
	s.age(0)
	s.token(t)
	if s.stored(t) != before || !s.SignedIn() || s.held.refresh != before {
		t.Error("the refresh token was dropped")
	}
	if info, err := os.Stat(s.cfg.File); err != nil || !info.ModTime().Equal(written.ModTime()) {
		t.Error("the file was written for nothing")
	}
}

func TestMovedEndpointIsFoundAgain(t *testing.T) {
	s := stage(t)
	s.begin(t)
	asked := 0
	s.idp.describe = func(map[string]any) { asked++ }
	gone := true
	s.idp.hijack = func(w http.ResponseWriter, _ string) bool {
		if gone {
			w.WriteHeader(http.StatusNotFound)
		}
		return gone
	}
	s.age(0)
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeUnreachable, "")
	gone = false
	s.token(t)
	if asked != 1 {
		t.Errorf("the description was fetched %d times", asked)
	}
}

func TestProviderWithoutRefreshTokens(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.idp.response = func(r map[string]any) { delete(r, "refresh_token") }
	s.begin(t)
	if s.file.exists() {
		t.Error("the earlier sign-in's refresh token is still there")
	}
	s.age(30 * time.Second)
	s.token(t)
	s.age(0)
	if s.SignedIn() {
		t.Error("signed in with nothing left")
	}
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeSignInRequired, "no lasting sign-in")
}

func TestInvalidGrantRemovesTheFile(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.idp.mu.Lock()
	clear(s.idp.refresh)
	s.idp.mu.Unlock()
	s.age(30 * time.Second) // even a token that is still good goes: the provider has ended the sign-in
	for range 2 {
		_, err := s.Token(t.Context())
		wantCode(t, err, stead.CodeSignInRequired, "provider ended it")
	}
	if s.file.exists() || s.SignedIn() || s.idp.requests() != 2 {
		t.Errorf("file %v, signed in %v, %d token requests", s.file.exists(), s.SignedIn(), s.idp.requests())
	}
}

func TestOtherAnswersKeepTheFile(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		kind   string
		body   string
		code   stead.Code
	}{
		"server error":    {http.StatusInternalServerError, "text/html", "<p>access-of-somebody</p>", stead.CodeUnreachable},
		"proxy refusal":   {http.StatusForbidden, "text/html", "<p>blocked</p>", stead.CodeUnreachable},
		"captive portal":  {http.StatusOK, "text/html", "<p>pay here</p>", stead.CodeUnreachable},
		"too many":        {http.StatusTooManyRequests, "application/json", `{"error":"invalid_request"}`, stead.CodeUnreachable},
		"unavailable":     {http.StatusBadRequest, "application/json", `{"error":"temporarily_unavailable"}`, stead.CodeUnreachable},
		"client unknown":  {http.StatusUnauthorized, "application/json", `{"error":"invalid_client","error_description":"refresh-x"}`, stead.CodeSignInFailed},
		"text as a code":  {http.StatusBadRequest, "application/json", `{"error":"refresh-x is old"}`, stead.CodeSignInFailed},
		"no access token": {http.StatusOK, "application/json", `{"refresh_token":"refresh-x"}`, stead.CodeUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t)
			s.begin(t)
			before := s.stored(t)
			s.age(0)
			s.idp.hijack = func(w http.ResponseWriter, _ string) bool {
				w.Header().Set("Content-Type", c.kind)
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
				return true
			}
			_, err := s.Token(t.Context())
			wantCode(t, err, c.code, "")
			if s.stored(t) != before || !s.SignedIn() {
				t.Error("the file changed")
			}
		})
	}
}

func TestProviderDownKeepsTheFile(t *testing.T) {
	s := stage(t)
	s.begin(t)
	current := s.token(t)
	s.idp.server.Close()
	s.age(30 * time.Second)
	if s.token(t) != current {
		t.Error("a token that is still good was not handed out")
	}
	s.age(0)
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeUnreachable, "127.0.0.1")
	if !s.file.exists() || !s.SignedIn() {
		t.Error("signed out by the network")
	}
	restarted := s.idp.desk(t, s.cfg.File)
	_, err = restarted.Token(t.Context())
	wantCode(t, err, stead.CodeUnreachable, "")
	if !restarted.file.exists() || !restarted.SignedIn() {
		t.Error("signed out by the network after a restart")
	}
}

func TestConcurrentCallersShareOneRefresh(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.age(0)
	s.idp.hijack = func(http.ResponseWriter, string) bool { time.Sleep(50 * time.Millisecond); return false }
	var callers sync.WaitGroup
	got := make(chan string, 10)
	for range cap(got) {
		callers.Go(func() {
			token, err := s.Token(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- token
		})
	}
	callers.Wait()
	close(got)
	var all []string
	for token := range got {
		all = append(all, token)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != 1 || s.idp.refreshes() != 1 {
		t.Errorf("%d refreshes", s.idp.refreshes())
	}
}

func TestACallerThatGivesUpDoesNotLoseTheRotatedToken(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.age(0)
	asked, release := make(chan struct{}), make(chan struct{})
	s.idp.hijack = func(http.ResponseWriter, string) bool { close(asked); <-release; return false }
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := s.Token(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
	if err := s.Close(); err != nil { // waits for the refresh
		t.Fatal(err)
	}
	if good := s.idp.good(); len(good) != 1 || s.stored(t) != good[0] {
		t.Error("the rotated token is not in the file")
	}
}

func TestBeginDuringARefreshWins(t *testing.T) {
	s := stage(t)
	s.begin(t)
	s.age(0)
	asked, release := make(chan struct{}), make(chan struct{})
	s.idp.hijack = func(_ http.ResponseWriter, kind string) bool {
		if kind == "refresh_token" {
			close(asked)
			<-release
		}
		return false
	}
	got := make(chan string, 1)
	go func() {
		token, err := s.Token(context.Background())
		if err != nil {
			t.Error(err)
		}
		got <- token
	}()
	<-asked
	s.begin(t)
	stored := s.stored(t)
	if token := <-got; token == "" || token != s.token(t) {
		t.Error("the caller did not get the new sign-in's token")
	}
	close(release)
	s.idp.server.Close()
	if s.stored(t) != stored {
		t.Error("the old refresh overwrote the new sign-in")
	}
}

func TestDamagedFileIsRemovedWithAReason(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"a bent byte": func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"cut":         func(b []byte) []byte { return b[:10] },
		"empty":       func([]byte) []byte { return nil },
		"huge":        func([]byte) []byte { return make([]byte, maxFile+1) },
	} {
		t.Run(name, func(t *testing.T) {
			s := stage(t)
			s.begin(t)
			raw, err := os.ReadFile(s.cfg.File)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.cfg.File, spoil(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			again := s.idp.desk(t, s.cfg.File)
			for range 2 {
				_, err := again.Token(t.Context())
				wantCode(t, err, stead.CodeSignInRequired, "could not be opened and was removed")
			}
			if again.file.exists() || again.SignedIn() || s.idp.requests() != 1 {
				t.Errorf("file %v, signed in %v, %d token requests", again.file.exists(), again.SignedIn(), s.idp.requests())
			}
			again.begin(t)
			again.token(t)
		})
	}
}

func TestUnreadableFileIsKept(t *testing.T) {
	s := stage(t)
	if err := os.MkdirAll(s.cfg.File, 0o700); err != nil { // a folder in its place cannot be read, not even by root
		t.Fatal(err)
	}
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeSignInRequired, "could not be read")
	if _, err := os.Stat(s.cfg.File); err != nil {
		t.Error(err)
	}
}

func TestClosedRefreshesNothing(t *testing.T) {
	s := stage(t)
	s.begin(t)
	current := s.token(t)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if s.token(t) != current {
		t.Error("a good token was not handed out")
	}
	s.age(0)
	_, err := s.Token(t.Context())
	wantCode(t, err, stead.CodeSignInRequired, "closing")
	wantCode(t, s.Begin(t.Context()), stead.CodeSignInFailed, "closing")
	if s.idp.refreshes() != 0 || !s.file.exists() {
		t.Error("refreshed, or signed out")
	}
}

func TestLeftTakesTheWorseClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &grant{access: "a", expiry: time.Now().Add(time.Hour)}
		time.Sleep(50 * time.Minute)
		if left := g.left(); left != 10*time.Minute {
			t.Errorf("%s left", left)
		}
		if left := (&grant{expiry: time.Now().Add(time.Hour)}).left(); left != 0 {
			t.Errorf("%s left of no token", left)
		}
	})
	if strings.Contains((&refusal{code: "x"}).failed().Error(), "[redacted]") {
		t.Error("a refusal is no secret")
	}
}
