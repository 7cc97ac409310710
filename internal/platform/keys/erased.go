package keys

import "stead/internal/stead"

// ErasedMark proves beside a pseudonym that this platform erased the person: only who has the key-encryption key makes
// one. Each is another, and all of them are good.
func (r *Ring) ErasedMark(p stead.Pseudonym) []byte {
	return r.kek.Seal(nil, nil, nil, []byte("erased/"+p.String()))
}

// IsErasedMark reports whether the mark is one of that person's.
func (r *Ring) IsErasedMark(p stead.Pseudonym, mark []byte) bool {
	_, err := r.kek.Open(nil, nil, mark, []byte("erased/"+p.String()))
	return err == nil
}
