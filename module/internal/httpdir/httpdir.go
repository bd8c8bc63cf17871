// Package httpdir is a module repository below a URL of a plain web server.
package httpdir

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

// Source fetches files below a URL.
type Source struct {
	client *web.Client
	root   url.URL
	auth   credentials.Credentials
}

// Open returns the repository at root. A user in the URL counts as credentials
// unless auth has some; a query, such as a storage signature, is kept.
func Open(root *url.URL, auth credentials.Credentials, client *web.Client) *Source {
	s := &Source{client: client, root: *root, auth: auth}
	if user := root.User; user != nil && auth.Username == "" && auth.Token == "" {
		s.auth.Username = user.Username()
		s.auth.Password, _ = user.Password()
	}
	s.root.User, s.root.Fragment = nil, ""
	return s
}

// String is the repository's address without user and query.
func (s *Source) String() string { return web.Where(&s.root) }

// Fetch gets the file at path below the root.
func (s *Source) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	return s.get(ctx, path, max, nil)
}

// FetchTo is Fetch that hands the file on as it comes.
func (s *Source) FetchTo(ctx context.Context, path string, max int64, to stream.Sink) error {
	_, err := s.get(ctx, path, max, to)
	return err
}

func (s *Source) get(ctx context.Context, path string, max int64, to stream.Sink) ([]byte, error) {
	u := s.root
	u.Path = strings.TrimSuffix(u.Path, "/") + "/" + path
	u.RawPath = web.EscapePath(u.Path)
	response, err := s.client.Fetch(ctx, web.Request{
		What: "fetch " + path, URL: &u, Max: max, To: to, Header: fresh(path),
		Sign: func(_ context.Context, r *http.Request) error {
			s.auth.Authorize(r)
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// fresh asks caches on the way not to answer with an old list: one that does
// not fit its signature would look like an attack.
func fresh(path string) http.Header {
	if strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".minisig") {
		return http.Header{"Cache-Control": {"no-cache"}}
	}
	return nil
}
