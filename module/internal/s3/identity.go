package s3

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// refreshBefore is how long before their end keys are had again.
const refreshBefore = 5 * time.Minute

// maxIdentityAnswer bounds, in bytes, what an identity service may answer.
const maxIdentityAnswer = 64 << 10

// identity knows whose keys to sign with, and keeps them until they expire.
type identity struct {
	auth   credentials.Credentials
	client *web.Client
	getenv func(string) string
	region func() string

	mu     sync.Mutex
	cached keys
}

// keys returns the first of: keys from the Secret, those of the environment,
// EKS's web identity (IRSA), EKS Pod Identity, the user's profile, none.
func (i *identity) keys(ctx context.Context) (keys, error) {
	if i.auth.AccessKeyID != "" {
		return keys{AccessKeyID: i.auth.AccessKeyID, SecretAccessKey: i.auth.SecretAccessKey, SessionToken: i.auth.SessionToken}, nil
	}
	if id, secret := i.getenv("AWS_ACCESS_KEY_ID"), i.getenv("AWS_SECRET_ACCESS_KEY"); id != "" && secret != "" {
		return keys{AccessKeyID: id, SecretAccessKey: secret, SessionToken: i.getenv("AWS_SESSION_TOKEN")}, nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cached.AccessKeyID != "" && (i.cached.Expires.IsZero() || time.Until(i.cached.Expires) > refreshBefore) {
		return i.cached, nil
	}
	k, err := i.fetch(ctx)
	if err != nil {
		return keys{}, err
	}
	i.cached = k
	return k, nil
}

func (i *identity) fetch(ctx context.Context) (keys, error) {
	role, tokenFile := i.getenv("AWS_ROLE_ARN"), i.getenv("AWS_WEB_IDENTITY_TOKEN_FILE")
	uri := i.getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	switch {
	case role != "" && tokenFile != "":
		return i.webIdentity(ctx, role, tokenFile)
	case uri != "":
		return i.podIdentity(ctx, uri, i.getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"))
	}
	return i.profile()
}

// webIdentity exchanges the service account's token for a role's keys.
func (i *identity) webIdentity(ctx context.Context, role, tokenFile string) (keys, error) {
	const what = "get keys for the service account's role"
	refused := func(_ context.Context, r *http.Response, body []byte) (bool, error) {
		return identityRefused(what, r, body)
	}
	token, err := readToken(what, tokenFile)
	if err != nil {
		return keys{}, err
	}
	endpoint := i.getenv("AWS_ENDPOINT_URL_STS")
	if endpoint == "" {
		endpoint = "https://sts." + awsDomain(i.region()) + "/"
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		return keys{}, refusedIdentity(what, "AWS_ENDPOINT_URL_STS", "it is not a URL")
	}
	session := i.getenv("AWS_ROLE_SESSION_NAME")
	if session == "" {
		session = "kubeshark-pfring"
	}
	form := url.Values{
		"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "RoleArn": {role}, "RoleSessionName": {session},
		"WebIdentityToken": {token},
	}
	response, err := i.client.Fetch(ctx, web.Request{
		What: what, Method: http.MethodPost, URL: u, Body: []byte(form.Encode()), Max: maxIdentityAnswer,
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Refused: refused,
	})
	if err != nil {
		return keys{}, err
	}
	var got struct {
		Keys struct {
			AccessKeyID     string    `xml:"AccessKeyId"`
			SecretAccessKey string    `xml:"SecretAccessKey"`
			SessionToken    string    `xml:"SessionToken"`
			Expires         time.Time `xml:"Expiration"`
		} `xml:"AssumeRoleWithWebIdentityResult>Credentials"`
	}
	if err := xml.Unmarshal(response.Body, &got); err != nil || got.Keys.AccessKeyID == "" {
		return keys{}, refusedIdentity(what, web.Where(u), "the response contains no keys")
	}
	return keys(got.Keys), nil
}

// podIdentity asks the agent on the node, which knows the pod by its token.
func (i *identity) podIdentity(ctx context.Context, uri, tokenFile string) (keys, error) {
	const what = "get keys from EKS Pod Identity"
	refused := func(_ context.Context, r *http.Response, body []byte) (bool, error) {
		return identityRefused(what, r, body)
	}
	u, err := url.Parse(uri)
	if err != nil || !trustedAgent(u) {
		return keys{}, refusedIdentity(what, "AWS_CONTAINER_CREDENTIALS_FULL_URI", "it is neither the node's identity agent nor an https address")
	}
	token, err := readToken(what, tokenFile)
	if err != nil {
		return keys{}, err
	}
	response, err := i.client.Direct().Fetch(ctx, web.Request{
		What: what, URL: u, Max: maxIdentityAnswer, Refused: refused,
		Header: http.Header{"Authorization": {token}},
	})
	if err != nil {
		return keys{}, err
	}
	var got struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      time.Time
	}
	if err := json.Unmarshal(response.Body, &got); err != nil || got.AccessKeyID == "" {
		return keys{}, refusedIdentity(what, web.Where(u), "the response contains no keys")
	}
	return keys{AccessKeyID: got.AccessKeyID, SecretAccessKey: got.SecretAccessKey, SessionToken: got.Token, Expires: got.Expiration}, nil
}

// trustedAgent tells whether a pod's token may be sent to u: the link-local
// addresses of EKS's and ECS's agents, this machine, or anything over TLS.
func trustedAgent(u *url.URL) bool {
	switch u.Hostname() {
	case "169.254.170.23", "169.254.170.2", "fd00:ec2::23", "localhost":
		return true
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || (ip != nil && ip.IsLoopback())
}

func readToken(what, file string) (string, error) {
	token, err := readfile.Regular(file, maxIdentityAnswer)
	if err != nil {
		return "", refusedIdentity(what, file, "the token cannot be read: "+readfile.Cause(err).Error())
	}
	return strings.TrimSpace(string(token)), nil
}

// identityRefused reads the refusal of an identity service.
func identityRefused(what string, r *http.Response, body []byte) (bool, error) {
	if r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests {
		return false, nil
	}
	a := parseAnswer(body)
	return false, refusedIdentity(what, web.Where(r.Request.URL), "the service answered "+r.Status+" "+a.Code+" "+a.Message)
}

func refusedIdentity(what, where, why string) error {
	return &fault.Error{
		Reason: outcome.SourceForbidden, What: what, Where: where, Why: strings.TrimSpace(why),
		Do: "Check the service account's role and its trust policy, or set keys in source.credentialsSecret.",
	}
}
