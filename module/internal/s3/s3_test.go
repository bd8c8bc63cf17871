package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// open returns a source of bucket "modules" with prefix "a/b".
func open(t *testing.T, env map[string]string, change func(*Options)) *Source {
	t.Helper()
	client, err := web.New(web.Options{Backoff: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Bucket: "modules", Prefix: "/a/b/", Client: client, Getenv: func(name string) string { return env[name] }}
	if change != nil {
		change(&o)
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestObjectsAddresses(t *testing.T) {
	for name, test := range map[string]struct {
		env    map[string]string
		change func(*Options)
		want   string
	}{
		"AWS":          {nil, nil, "https://modules.s3.us-east-1.amazonaws.com/a/b/x%2By"},
		"a region":     {nil, func(o *Options) { o.Region = "eu-west-1" }, "https://modules.s3.eu-west-1.amazonaws.com/a/b/x%2By"},
		"the pod's":    {map[string]string{"AWS_REGION": "eu-north-1"}, nil, "https://modules.s3.eu-north-1.amazonaws.com/a/b/x%2By"},
		"China":        {nil, func(o *Options) { o.Region = "cn-north-1" }, "https://modules.s3.cn-north-1.amazonaws.com.cn/a/b/x%2By"},
		"dots":         {nil, func(o *Options) { o.Bucket = "my.modules" }, "https://s3.us-east-1.amazonaws.com/my.modules/a/b/x%2By"},
		"path style":   {nil, func(o *Options) { o.PathStyle = true }, "https://s3.us-east-1.amazonaws.com/modules/a/b/x%2By"},
		"no prefix":    {nil, func(o *Options) { o.Prefix = "" }, "https://modules.s3.us-east-1.amazonaws.com/x%2By"},
		"an endpoint":  {nil, func(o *Options) { o.Endpoint = "minio.example:9000" }, "https://modules.minio.example:9000/a/b/x%2By"},
		"its path":     {nil, func(o *Options) { o.Endpoint = "http://ceph.example/s3/"; o.PathStyle = true }, "http://ceph.example/s3/modules/a/b/x%2By"},
		"an IP":        {nil, func(o *Options) { o.Endpoint = "http://10.0.0.1:9000" }, "http://10.0.0.1:9000/modules/a/b/x%2By"},
		"without user": {nil, func(o *Options) { o.Endpoint = "http://u:p@minio?x=y" }, "http://modules.minio/a/b/x%2By"},
	} {
		if got := open(t, test.env, test.change).object("x+y").String(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	if got := open(t, nil, nil).String(); got != "s3://modules/a/b" {
		t.Error(got)
	}
}

// bucket is a server that records who asks, and refuses by the answers given.
type bucket struct {
	*httptest.Server
	who []string
}

func serve(t *testing.T, handle func(w http.ResponseWriter, r *http.Request)) *bucket {
	b := &bucket{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
		id, _, _ := strings.Cut(credential, "/")
		b.who = append(b.who, id+"|"+r.Header.Get("X-Amz-Security-Token"))
		handle(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func good(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, r.URL.EscapedPath()) }

func fetch(t *testing.T, s *Source) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	data, err := s.Fetch(ctx, "x+y", 1000)
	return string(data), err
}

// tokenFile writes a service account token.
func tokenFile(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte("pod-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// sts answers as AWS's token service does.
func sts(t *testing.T, asked *int) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		if r.FormValue("WebIdentityToken") != "pod-token" || r.FormValue("RoleArn") != "arn:role" || r.FormValue("Action") != "AssumeRoleWithWebIdentity" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `<ErrorResponse><Error><Code>InvalidIdentityToken</Code><Message>no such role</Message></Error></ErrorResponse>`)
			return
		}
		_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials>
			<AccessKeyId>WEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>web-session</SessionToken><Expiration>%s</Expiration>
			</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(s.Close)
	return s
}

// agent answers as EKS's Pod Identity agent does.
func agent(t *testing.T, asked *int) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		if r.Header.Get("Authorization") != "pod-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"AccessKeyId": "POD", "SecretAccessKey": "s", "Token": "pod-session", "Expiration": time.Now().Add(time.Hour)})
	}))
	t.Cleanup(s.Close)
	return s
}

func TestRequestsAreSignedByWhoThePodIs(t *testing.T) {
	b := serve(t, good)
	asked := 0
	web := map[string]string{"AWS_ROLE_ARN": "arn:role", "AWS_WEB_IDENTITY_TOKEN_FILE": tokenFile(t), "AWS_ENDPOINT_URL_STS": sts(t, &asked).URL}
	pod := map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent(t, &asked).URL + "/v1/credentials", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": tokenFile(t)}
	environment := map[string]string{"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
	static := credentials.Credentials{AccessKeyID: "STATIC", SecretAccessKey: "s"}
	for name, test := range map[string]struct {
		env  map[string]string
		auth credentials.Credentials
		want string
	}{
		"a Secret":             {web, static, "STATIC|"},
		"the environment":      {environment, credentials.Credentials{}, "ENV|t"},
		"web identity":         {web, credentials.Credentials{}, "WEB|web-session"},
		"EKS Pod Identity":     {pod, credentials.Credentials{}, "POD|pod-session"},
		"nobody":               {nil, credentials.Credentials{}, "|"},
		"half a web identity":  {map[string]string{"AWS_ROLE_ARN": "x"}, credentials.Credentials{}, "|"},
		"half the environment": {map[string]string{"AWS_ACCESS_KEY_ID": "x"}, credentials.Credentials{}, "|"},
	} {
		b.who, asked = nil, 0
		s := open(t, test.env, func(o *Options) { o.Endpoint, o.Auth = b.URL, test.auth })
		for range 2 {
			if body, err := fetch(t, s); err != nil || body != "/modules/a/b/x%2By" {
				t.Errorf("%s: %q, %v", name, body, err)
			}
		}
		if len(b.who) != 2 || b.who[0] != test.want || b.who[1] != test.want {
			t.Errorf("%s: the bucket saw %q, want %q", name, b.who, test.want)
		}
		if asked > 1 {
			t.Errorf("%s: the identity service was asked %d times for two requests", name, asked)
		}
	}
}

func TestAnIdentityThatIsRefusedIsNotAnonymous(t *testing.T) {
	b := serve(t, good)
	asked := 0
	token := tokenFile(t)
	for name, test := range map[string]struct {
		env  map[string]string
		says string
	}{
		"another role":    {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": sts(t, &asked).URL}, "InvalidIdentityToken no such role"},
		"no token":        {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token + "-not"}, "cannot be read"},
		"answers rubbish": {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": b.URL}, "holds no keys"},
		"an agent that is elsewhere": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.169.254/latest", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}, "neither"},
		"an agent that says no": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent(t, &asked).URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": os.DevNull}, "401"},
	} {
		_, err := fetch(t, open(t, test.env, func(o *Options) { o.Endpoint = b.URL }))
		var e *fault.Error
		if !errors.As(err, &e) || e.Reason != outcome.SourceForbidden || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "pod-token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRefusalsAreRead(t *testing.T) {
	for name, test := range map[string]struct {
		status     int
		code, says string
		want       outcome.Reason
	}{
		"anonymous":  {403, "AccessDenied", "anonymous", outcome.SourceForbidden},
		"bad key":    {403, "InvalidAccessKeyId", "InvalidAccessKeyId: why", outcome.SourceForbidden},
		"old token":  {400, "ExpiredToken", "ExpiredToken", outcome.SourceForbidden},
		"clock":      {403, "RequestTimeTooSkewed", "clock", outcome.SourceForbidden},
		"no bucket":  {404, "NoSuchBucket", "source.url", outcome.SourceInvalid},
		"region":     {400, "AuthorizationHeaderMalformed", "source.region", outcome.SourceInvalid},
		"no such ID": {404, "XAdminUserNotFound", "credentialsSecret", outcome.SourceForbidden},
		"no key":     {404, "NoSuchKey", "no such file", outcome.SourceInvalid},
		"slow down":  {503, "SlowDown", "503", outcome.SourceUnreachable},
		"no XML":     {403, "", "403 Forbidden", outcome.SourceForbidden},
	} {
		b := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			if test.code != "" {
				_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>why&#x202e;</Message></Error>`, test.code)
			}
		})
		_, err := fetch(t, open(t, nil, func(o *Options) { o.Endpoint = b.URL }))
		var e *fault.Error
		if !errors.As(err, &e) || e.Reason != test.want || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
		if errors.Is(err, fault.ErrNotFound) != (test.code == "NoSuchKey") {
			t.Errorf("%s: not found is wrong: %v", name, err)
		}
	}
}

func TestABucketOfAnotherRegionIsFollowed(t *testing.T) {
	s := open(t, nil, nil)
	for _, bad := range []string{"", "us-east-1", "evil.example/", "EU"} {
		if s.move(bad) {
			t.Errorf("moved to %q", bad)
		}
	}
	r := &http.Response{StatusCode: http.StatusMovedPermanently, Header: http.Header{"X-Amz-Bucket-Region": {"eu-west-1"}}, Request: httptest.NewRequest(http.MethodGet, "/", nil)}
	again, err := s.refused("x", r, nil)
	if !again || err != nil || s.object("x").Host != "modules.s3.eu-west-1.amazonaws.com" {
		t.Errorf("%v %v %s", again, err, s.object("x"))
	}
}

func TestOpenRefusesAnEndpointThatIsNone(t *testing.T) {
	for _, endpoint := range []string{"ftp://x", "http://", "http://[::1"} {
		if _, err := Open(Options{Endpoint: endpoint, Getenv: func(string) string { return "" }}); err == nil {
			t.Error(endpoint)
		}
	}
}
