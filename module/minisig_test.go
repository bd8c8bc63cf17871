package module_test

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"aead.dev/minisign"
	"golang.org/x/crypto/blake2b"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestVerifyIndexTakesAnyOfTheKeysInAnyForm(t *testing.T) {
	r, other := moduletest.NewRepository(t).Sign(), moduletest.NewRepository(t).Sign()
	index, signature := r.Files[module.IndexName], r.Files[module.SignatureName]
	file := "untrusted comment: minisign public key\r\n" + r.PublicKey + "\r\n"
	for name, test := range map[string]struct {
		index, signature []byte
		keys             []string
		want             outcome.Reason
		says             string
	}{
		"the key":            {index, signature, []string{r.PublicKey}, "", ""},
		"a .pub file":        {index, signature, []string{file}, "", ""},
		"one of three":       {index, signature, []string{other.PublicKey, "rubbish", r.PublicKey}, "", ""},
		"another key":        {index, signature, []string{other.PublicKey}, outcome.SignatureInvalid, "the configured key is"},
		"no key":             {index, signature, nil, outcome.SourceUnsigned, "no public key"},
		"blank keys":         {index, signature, []string{"", " \n"}, outcome.SourceUnsigned, "no public key"},
		"only rubbish":       {index, signature, []string{"rubbish"}, outcome.SourceUnsigned, "none of the 1"},
		"changed index":      {append([]byte(" "), index...), signature, []string{r.PublicKey}, outcome.SignatureInvalid, "does not match this index"},
		"no signature":       {index, nil, []string{r.PublicKey}, outcome.SignatureInvalid, "malformed"},
		"an error page":      {index, []byte("<html>\n\n\n\n"), []string{r.PublicKey}, outcome.SignatureInvalid, "malformed"},
		"another signature":  {index, other.Files[module.SignatureName], []string{r.PublicKey}, outcome.SignatureInvalid, "the configured key is"},
		"changed comment":    {index, []byte(strings.Replace(string(signature), "timestamp:", "timestamp:9", 1)), []string{r.PublicKey}, outcome.SignatureInvalid, "does not match"},
		"signature of other": {other.Files[module.IndexName], signature, []string{r.PublicKey}, outcome.SignatureInvalid, "does not match"},
	} {
		if name == "signature of other" && string(other.Files[module.IndexName]) == string(index) {
			continue // made within one second, the two empty indexes are the same
		}
		err := module.VerifyIndex(test.index, test.signature, test.keys)
		if reason(err) != test.want || (err == nil) != (test.want == "") || (err != nil && !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerifyIndex(f *testing.F) {
	r := moduletest.NewRepository(f).Sign()
	f.Add(r.Files[module.IndexName], r.Files[module.SignatureName], r.PublicKey)
	f.Add([]byte("{}"), []byte("untrusted comment: \n\ntrusted comment: \n\n"), "untrusted comment: x\n"+r.PublicKey)
	f.Fuzz(func(t *testing.T, index, signature []byte, key string) {
		if module.VerifyIndex(index, signature, []string{key}) != nil {
			return
		}
		public, err := module.ParsePublicKey(key)
		if err != nil || !minisign.Verify(public, index, signature) {
			t.Errorf("accepted %q by key %q: %v", signature, key, err)
		}
	})
}

// minisign has two kinds of signatures: over a file, and over its hash. Calling one
// the other makes the hash itself a file that is signed, which is not an index.
func TestASignatureOfOneKindIsNotOneOfTheOther(t *testing.T) {
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	var s minisign.Signature
	if err := s.UnmarshalText(r.Files[module.SignatureName]); err != nil {
		t.Fatal(err)
	}
	hash := blake2b.Sum512(r.Files[module.IndexName])
	s.Algorithm = minisign.EdDSA
	text, err := s.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	r.Files[module.SignatureName] = text
	if _, err := get(t, r.Files, request(r)); reason(err) != outcome.SignatureInvalid {
		t.Errorf("the index: %v", err)
	}
	r.Files[module.IndexName] = hash[:]
	if _, err := get(t, r.Files, request(r)); reason(err) != outcome.SourceInvalid {
		t.Errorf("its hash as the index: %v", err)
	}
}

// The number of a key in a signature is not signed, and proves nothing.
func TestAKeysNumberIsNotAKey(t *testing.T) {
	r, attacker := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign(), moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	var mine, theirs minisign.Signature
	if err := errors.Join(mine.UnmarshalText(attacker.Files[module.SignatureName]), theirs.UnmarshalText(r.Files[module.SignatureName])); err != nil {
		t.Fatal(err)
	}
	mine.KeyID = theirs.KeyID
	text, err := mine.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	attacker.Files[module.SignatureName] = text
	if _, err := get(t, attacker.Files, request(r)); reason(err) != outcome.SignatureInvalid {
		t.Errorf("%v", err)
	}
}

// A signature file says what it says however its lines end; nothing follows it, and
// what its comments hold reaches no terminal.
func TestOddSignatureFilesAreReadOrRefused(t *testing.T) {
	t.Parallel()
	r := moduletest.NewRepository(t).Add(moduletest.KO{}, "zst").Sign()
	good := string(r.Files[module.SignatureName])
	lines := strings.Split(strings.TrimRight(good, "\n"), "\n")
	if len(lines) != 4 {
		t.Fatalf("%q", lines)
	}
	line := func(i int, text string) string {
		changed := slices.Clone(lines)
		changed[i] = text
		return strings.Join(changed, "\n") + "\n"
	}
	algorithm := func(name string) string {
		data, err := base64.StdEncoding.DecodeString(lines[1])
		if err != nil {
			t.Fatal(err)
		}
		return line(1, base64.StdEncoding.EncodeToString(append([]byte(name), data[2:]...)))
	}
	for name, test := range map[string]struct {
		signature string
		want      outcome.Reason
	}{
		"lines that end as in Windows":         {strings.ReplaceAll(good, "\n", "\r\n"), ""},
		"no end of the last line":              {strings.TrimRight(good, "\n"), ""},
		"another untrusted comment":            {line(0, "untrusted comment: \x1b[2J"), ""},
		"no untrusted comment":                 {strings.Join(lines[1:], "\n"), outcome.SignatureInvalid},
		"a trusted comment with an escape":     {line(2, lines[2]+"\x1b[2J"), outcome.SignatureInvalid},
		"a trusted comment that is not there":  {line(2, "trusted comment: "), outcome.SignatureInvalid},
		"a trusted comment called untrusted":   {line(2, "un"+lines[2]), outcome.SignatureInvalid},
		"no signature of the comment":          {strings.Join(lines[:3], "\n"), outcome.SignatureInvalid},
		"the signature as that of the comment": {line(3, lines[1]), outcome.SignatureInvalid},
		"another signature behind it":          {good + good, outcome.SignatureInvalid},
		"something behind it":                  {good + "and so on\n", outcome.SignatureInvalid},
		"a blank line before it":               {"\n" + good, outcome.SignatureInvalid},
		"the older kind by name":               {algorithm("Ed"), outcome.SignatureInvalid},
		"no kind that there is":                {algorithm("EX"), outcome.SignatureInvalid},
		"a signature too short":                {line(1, lines[1][:40]), outcome.SignatureInvalid},
		"a signature too long":                 {line(1, lines[1]+"AAAA"), outcome.SignatureInvalid},
		"base64 of URLs":                       {line(1, strings.NewReplacer("+", "-", "/", "_").Replace(lines[1])+"-_"), outcome.SignatureInvalid},
		"a megabyte":                           {strings.Repeat(good, 1<<20/len(good)), outcome.TooLarge},
	} {
		r.Files[module.SignatureName] = []byte(test.signature)
		_, err := get(t, r.Files, request(r))
		if reason(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (len(err.Error()) > 2000 || strings.ContainsAny(err.Error(), "\x1b\r\n")) {
			t.Errorf("%s: a message of %d bytes: %.300q", name, len(err.Error()), err)
		}
	}
}
