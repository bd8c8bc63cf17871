package s3

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// keys are what requests are signed with; the zero value is nobody's.
type keys struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	// Expires is zero for keys that stay.
	Expires time.Time
}

// emptySHA256 is the digest of no body.
const emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// payloadHeader has the digest of a request's body.
const payloadHeader = "X-Amz-Content-Sha256"

// signV4 adds AWS Signature Version 4 to a request, without a body unless its
// digest is in payloadHeader, as
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
// has it. The path must be escaped by web.EscapePath.
func signV4(r *http.Request, k keys, region, service string, now time.Time) {
	stamp := now.UTC().Format("20060102T150405Z")
	r.Header.Set("X-Amz-Date", stamp)
	payload := r.Header.Get(payloadHeader)
	if payload == "" {
		payload = emptySHA256
		r.Header.Set(payloadHeader, payload)
	}
	if k.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", k.SessionToken)
	}
	names, headers := canonicalHeaders(r)
	canonical := strings.Join([]string{
		r.Method, r.URL.EscapedPath(), "", headers, names, payload,
	}, "\n")
	scope := strings.Join([]string{stamp[:8], region, service, "aws4_request"}, "/")
	digest := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", stamp, scope, hex.EncodeToString(digest[:])}, "\n")
	key := []byte("AWS4" + k.SecretAccessKey)
	for _, part := range []string{stamp[:8], region, service, "aws4_request", text} {
		key = mac(key, part)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%x", k.AccessKeyID, scope, names, key))
}

// canonicalHeaders lists the headers that are signed, host and all x-amz-*, and
// these with their values.
func canonicalHeaders(r *http.Request) (names, lines string) {
	values := map[string]string{"host": r.URL.Host}
	for name, v := range r.Header {
		// Range is signed too: what is asked for should not be changed on the way.
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") || lower == "range" {
			values[lower] = strings.Join(strings.Fields(strings.Join(v, ",")), " ")
		}
	}
	sorted := make([]string, 0, len(values))
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	var b strings.Builder
	for _, name := range sorted {
		b.WriteString(name + ":" + values[name] + "\n")
	}
	return strings.Join(sorted, ";"), b.String()
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
