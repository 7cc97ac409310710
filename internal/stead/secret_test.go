package stead

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	const word = "hunter2"
	type cookie struct {
		Name  string
		Value Secret
	}
	v := struct{ Cookie cookie }{cookie{Name: "c", Value: word}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%-3.1v"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", v, &v, v.Cookie.Value)
	}
	fmt.Fprintln(&out, v, []Secret{word}, map[Secret]Secret{word: word}, v.Cookie.Value.String())
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "visit", v, "value", v.Cookie.Value)
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"v": v, "l": []Secret{word}, "p": &v.Cookie.Value}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{word, fmt.Sprintf("%x", word), fmt.Sprintf("%X", word)} {
		if strings.Contains(out.String(), bad) {
			t.Errorf("%q is in\n%s", bad, out.String())
		}
	}
	if !strings.Contains(out.String(), redacted) {
		t.Error("nothing was printed at all")
	}
}
