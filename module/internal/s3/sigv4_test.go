package s3

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The example of the documentation that signV4 names.
func TestSignV4GivesTheDocumentedSignature(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Range", "bytes=0-9")
	signV4(r, keys{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
		"us-east-1", "s3", time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC))
	want := "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
		"SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
	if got := r.Header.Get("Authorization"); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSignV4SignsTheSessionToken(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "https://b.s3.amazonaws.com/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	signV4(r, keys{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "T"}, "us-east-1", "s3", time.Now())
	if got := r.Header.Get("Authorization"); !strings.Contains(got, "x-amz-date;x-amz-security-token") || r.Header.Get("X-Amz-Security-Token") != "T" {
		t.Error(got)
	}
}
