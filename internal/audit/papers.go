package audit

import (
	"embed"
	"io/fs"
)

//go:embed FORMAT.md testdata/vectors.json verifier/proof.py verifier/trust.py verifier/verify.py
var papers embed.FS

// Papers holds what somebody needs to check a ledger without this program: the format document, the test vectors and
// a verifier in Python that was written from the document alone.
func Papers() map[string][]byte {
	out := map[string][]byte{}
	for name, path := range map[string]string{"FORMAT.md": "FORMAT.md", "vectors.json": "testdata/vectors.json",
		"proof.py": "verifier/proof.py", "trust.py": "verifier/trust.py", "verify.py": "verifier/verify.py"} {
		text, err := fs.ReadFile(papers, path)
		if err != nil {
			panic(err) // it was compiled in
		}
		out[name] = text
	}
	return out
}
