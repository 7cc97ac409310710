package staff_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"stead/internal/stead"

	"stead/internal/platform/staff"
)

// TestSilentProviderHoldsUpNobody: while the identity provider does not answer, each caller is told within their own
// time, all of them at once, and the next ones without asking again.
func TestSilentProviderHoldsUpNobody(t *testing.T) {
	block := make(chan struct{})
	idp := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer idp.Close()
	defer close(block)
	v := &staff.Verifier{Issuer: idp.URL, Audience: "platform", HTTP: &http.Client{Timeout: 3 * time.Second}}
	done := make(chan error, 5)
	began := time.Now()
	for range 5 {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_, err := v.Verify(ctx, "token")
			done <- err
		}()
	}
	for range 5 {
		if err := <-done; stead.CodeOf(err) != stead.CodeSignInRequired {
			t.Error(err)
		}
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("five callers waited %v one after the other", took)
	}
}

func TestFailedDiscoveryIsNotRepeatedAtOnce(t *testing.T) {
	asked := 0
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked++; w.WriteHeader(http.StatusBadGateway) }))
	defer idp.Close()
	v := &staff.Verifier{Issuer: idp.URL, Audience: "platform", HTTP: http.DefaultClient}
	for range 5 {
		if _, err := v.Verify(t.Context(), "token"); stead.CodeOf(err) != stead.CodeSignInRequired {
			t.Error(err)
		}
	}
	if asked != 1 {
		t.Errorf("the provider was asked %d times", asked)
	}
}
