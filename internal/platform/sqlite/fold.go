package sqlite

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// plainLetters are letters that Unicode does not take apart into a plain letter and a mark, though people who
// cannot type them write the plain letter.
var plainLetters = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe",
	"ı", "i", "ħ", "h", "ŧ", "t", "ŋ", "n")

// fold brings text to the form in which search compares it: no case, no diacritics, no control characters, one
// blank between words.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToValidUTF8(s, " ")) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsControl(r) || unicode.IsSpace(r):
			b.WriteByte(' ')
		default:
			b.WriteRune(r)
		}
	}
	return strings.Join(strings.Fields(plainLetters.Replace(cases.Fold().String(b.String()))), " ")
}

// foldCase is the form in which two e-mail addresses are the same address: accents count, case does not.
func foldCase(s string) string {
	return cases.Fold().String(norm.NFC.String(strings.TrimSpace(s)))
}

// nameForm reduces folded text to words of letters and digits: "o'brien" is one word, "anne-marie" two.
func nameForm(folded string) string {
	var b strings.Builder
	for _, r := range folded {
		switch {
		case strings.ContainsRune("'’ʼʻ`", r):
		case unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r):
			b.WriteRune(r)
		default:
			b.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// phoneDigits reduces a phone number to its digits with the country code first, however it was written:
// "+49 (0)170 1234", "0049 170-1234" and "+491701234" are the same.
func phoneDigits(s string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ReplaceAll(norm.NFKC.String(s), "(0)", ""))
	return strings.TrimPrefix(digits, "00")
}

// phoneLike reports whether the text is written the way phone numbers are, with at least two digits.
func phoneLike(folded string) bool {
	return strings.Trim(folded, "0123456789 +-()./") == "" && len(phoneDigits(folded)) >= 2
}
