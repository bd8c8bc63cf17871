package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// get asks the registry for a path, with or without a query, below the
// repository. With to, the answer goes there as it comes.
func (s *Source) get(ctx context.Context, what, path string, header http.Header, max int64, to stream.Sink) (*web.Response, error) {
	u, challenged := *s.base, false
	path, u.RawQuery, _ = strings.Cut(path, "?")
	u.Path += "/v2/" + s.Repository + "/" + path
	return s.Client.Fetch(ctx, web.Request{
		What: what, URL: &u, Header: header, Max: max, To: to, Sign: s.auth.sign,
		Refused: func(ctx context.Context, r *http.Response, body []byte) (bool, error) {
			if r.StatusCode == http.StatusUnauthorized && !challenged {
				challenged = true
				if again, err := s.auth.challenged(ctx, r); again || err != nil {
					return again, err
				}
			}
			return false, s.refused(what, r, body)
		},
	})
}

// refused reads the registry's own words, if it has some.
func (s *Source) refused(what string, r *http.Response, body []byte) error {
	var answer struct {
		Errors []struct{ Code, Message string }
	}
	understood := json.Unmarshal(body, &answer) == nil && len(answer.Errors) > 0
	if !understood || r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests {
		return nil
	}
	first := answer.Errors[0]
	e := &fault.Error{
		Reason: outcome.SourceForbidden, What: what, Where: s.String(),
		Why: fmt.Sprintf("the registry answered %d %.60q: %.200q", r.StatusCode, first.Code, first.Message),
	}
	switch {
	case first.Code == "NAME_UNKNOWN" || first.Code == "NAME_INVALID":
		e.Reason, e.Do = outcome.SourceInvalid, "Check the repository in tap.kernelModule.source.url."
	case r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusForbidden:
		e.Do = "Check imageRepoSecret or source.credentialsSecret: its login must be allowed to pull from this repository."
	default:
		return nil
	}
	return e
}
