package s3

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ErrFull is in the chain of an error of a bucket that takes no more.
var ErrFull = errors.New("the bucket is full")

// answer is the body of an S3 or STS error.
type answer struct {
	Code     string `xml:"Code"`
	Message  string `xml:"Message"`
	Region   string `xml:"Region"`
	Endpoint string `xml:"Endpoint"`
	// STS puts the same one level down.
	Error struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
	} `xml:"Error"`
}

func parseAnswer(body []byte) answer {
	var a answer
	if err := xml.Unmarshal(body, &a); err != nil {
		return answer{} // the status alone has to say it
	}
	if a.Code == "" {
		a.Code, a.Message = a.Error.Code, a.Error.Message
	}
	a.Code, a.Message, a.Endpoint = line(a.Code, 60), strings.TrimSuffix(line(a.Message, 200), "."), line(a.Endpoint, 120)
	return a
}

// line makes text of a server fit for a message.
func line(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// refused reads an S3 server's refusal. A bucket of another region names it,
// and that is taken.
func (s *Source) refused(what string, r *http.Response, body []byte) (again bool, err error) {
	a := parseAnswer(body)
	region := r.Header.Get("X-Amz-Bucket-Region")
	if region == "" {
		region = a.Region
	}
	if r.StatusCode < 500 && r.StatusCode != http.StatusNotFound && s.move(region) {
		return true, nil
	}
	if r.StatusCode == http.StatusInsufficientStorage || strings.HasSuffix(a.Code, "StorageFull") || strings.Contains(a.Code, "QuotaExceeded") {
		return false, &fault.Error{
			Reason: outcome.SourceInvalid, What: what, Where: web.Where(r.Request.URL), Why: strings.TrimSuffix(fmt.Sprintf("the bucket is full: the server answered %d %s", r.StatusCode, a.Code), " "),
			Do: "Make room in the bucket, or raise its quota.", Err: ErrFull,
		}
	}
	if a.Code == "" || r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests {
		return false, nil
	}
	if r.StatusCode == http.StatusNotFound && a.Code != "NoSuchBucket" && !strings.Contains(a.Code, "AccessKey") && !strings.Contains(a.Code, "User") {
		// Else it is an unknown key, which versitygw answers so.
		return false, nil
	}
	return false, explain(a, r, &fault.Error{
		Reason: outcome.SourceForbidden, What: what, Where: web.Where(r.Request.URL),
		Why: fmt.Sprintf("the server answered %d %s: %s", r.StatusCode, a.Code, a.Message),
	})
}

// explain adds to a refusal what its code says beyond that, and a remedy.
func explain(a answer, r *http.Response, e *fault.Error) *fault.Error {
	switch {
	case a.Code == "NoSuchBucket":
		e.Reason, e.Do = outcome.SourceInvalid, "Check the bucket in tap.kernelModule.source.url, and source.endpoint."
	case a.Code == "RequestTimeTooSkewed":
		e.Do = "Correct this machine's clock: it differs from the server's."
	case r.StatusCode == http.StatusMovedPermanently || r.StatusCode == http.StatusTemporaryRedirect:
		e.Reason, e.Do = outcome.SourceInvalid, "Set tap.kernelModule.source.region to the bucket's region, and source.endpoint to its endpoint."
		if a.Endpoint != "" {
			e.Why += ": " + a.Endpoint
		}
	case a.Code == "AccessDenied" && strings.Contains(strings.ToLower(a.Message), "kms:"):
		e.Do = "Let this login use the KMS key that encrypts the bucket (kms:Decrypt)."
	case a.Code == "AccessDenied" && r.Request.Header.Get("Authorization") == "":
		e.Why += " (the request was anonymous: no credentials are configured)"
	case a.Code == "AuthorizationHeaderMalformed":
		e.Reason, e.Do = outcome.SourceInvalid, "Set tap.kernelModule.source.region to the bucket's region."
	case r.StatusCode == http.StatusBadRequest && !strings.Contains(a.Code, "Token"):
		e.Reason = outcome.SourceInvalid
	}
	return e
}

// move goes over to another region, if it is one and not the present one.
func (s *Source) move(region string) bool {
	if strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if region == "" || region == s.region {
		return false
	}
	s.region = region
	return true
}
