package oci

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// maxToken bounds, in bytes, a token service's answer.
const maxToken = 64 << 10

// authorizer gets in as registries want it: anonymously, by password, or by a
// token that a service gives for one of these.
type authorizer struct {
	client *web.Client
	auth   credentials.Credentials
	scope  string
	secure bool

	mu     sync.Mutex
	header string // Authorization, once challenged
}

func (a *authorizer) sign(_ context.Context, r *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.header != "" {
		r.Header.Set("Authorization", a.header)
	}
	return nil
}

// challenged reads what a registry wants and prepares the next try. It returns
// false when there is nothing to offer.
func (a *authorizer) challenged(ctx context.Context, r *http.Response) (again bool, err error) {
	for _, challenge := range r.Header.Values("WWW-Authenticate") {
		scheme, parameters := parseChallenge(challenge)
		switch {
		case scheme == "basic" && a.auth.Username != "":
			basic := &http.Request{Header: http.Header{}}
			basic.SetBasicAuth(a.auth.Username, a.auth.Password)
			return a.use(basic.Header.Get("Authorization"), r), nil
		case scheme == "bearer" && a.auth.Token != "" && a.auth.Username == "":
			return a.use("Bearer "+a.auth.Token, r), nil
		case scheme == "bearer":
			token, err := a.token(ctx, parameters)
			if err != nil {
				return false, err
			}
			return a.use("Bearer "+token, r), nil
		}
	}
	return false, nil
}

// use takes header for the next try, unless r was refused with the very same.
func (a *authorizer) use(header string, r *http.Response) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.header = header
	return r.Request.Header.Get("Authorization") != header
}

// token asks the service that the challenge names.
func (a *authorizer) token(ctx context.Context, parameters map[string]string) (string, error) {
	const what = "get a pull token"
	realm, err := url.Parse(parameters["realm"])
	if err != nil || realm.Host == "" || (realm.Scheme != "https" && (a.secure || realm.Scheme != "http")) {
		return "", refusedToken(what, "", "the registry does not name a usable token service")
	}
	query := realm.Query()
	if service := parameters["service"]; service != "" {
		query.Set("service", service)
	}
	query.Set("scope", a.scope)
	realm.RawQuery = query.Encode()
	request := web.Request{
		What: what, URL: realm, Max: maxToken, Given: true,
		Sign: func(_ context.Context, r *http.Request) error {
			if a.auth.Username != "" {
				r.SetBasicAuth(a.auth.Username, a.auth.Password)
			}
			return nil
		},
	}
	if a.auth.IdentityToken != "" {
		a.exchange(&request, query)
	}
	response, err := a.client.Fetch(ctx, request)
	if err != nil {
		return "", err
	}
	var got struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(response.Body, &got); err != nil || got.Token+got.AccessToken == "" {
		return "", refusedToken(what, web.Where(realm), "the response contains no token")
	}
	if got.Token == "" {
		got.Token = got.AccessToken
	}
	return got.Token, nil
}

// exchange asks for a token in exchange for the identity token, as OAuth 2 has
// it (RFC 6749, 6).
func (a *authorizer) exchange(r *web.Request, query url.Values) {
	query.Set("grant_type", "refresh_token")
	query.Set("refresh_token", a.auth.IdentityToken)
	query.Set("client_id", "kubeshark-pfring")
	r.URL.RawQuery = ""
	r.Method, r.Body, r.Sign = http.MethodPost, []byte(query.Encode()), nil
	r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
}

func refusedToken(what, where, why string) error {
	return &fault.Error{Reason: outcome.SourceForbidden, What: what, Where: where, Why: why}
}

// maxParameters bounds what is read of a challenge.
const maxParameters = 32

// parseChallenge splits a WWW-Authenticate value of one challenge, RFC 7235. What
// is not NAME=VALUE or NAME="VALUE" is skipped.
func parseChallenge(value string) (scheme string, parameters map[string]string) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	parameters = map[string]string{}
	for range maxParameters {
		before, after, found := strings.Cut(rest, "=")
		if !found {
			break
		}
		before = strings.ToLower(strings.TrimRight(before, " \t"))
		name := before[strings.LastIndexAny(before, " \t,\"")+1:]
		parameters[name], rest = challengeValue(strings.TrimLeft(after, " \t"))
	}
	return strings.ToLower(scheme), parameters
}

// challengeValue is the token or the quoted text that text begins with, and what
// follows it.
func challengeValue(text string) (value, rest string) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text+",", " \t,\"")
		return text[:end], text[end:]
	}
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[1:i], text[i+1:]
		}
	}
	return "", ""
}
