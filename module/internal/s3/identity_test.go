package s3

import (
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
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

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
	token, empty := tokenFile(t), filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		env  map[string]string
		says string
	}{
		"another role":    {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": sts(t, &asked).URL}, "InvalidIdentityToken no such role"},
		"no token":        {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token + "-not"}, "cannot be read"},
		"answers rubbish": {map[string]string{"AWS_ROLE_ARN": "x", "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ENDPOINT_URL_STS": b.URL}, "contains no keys"},
		"an agent that is elsewhere": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.169.254/latest", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token}, "neither"},
		"an agent that says no": {map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent(t, &asked).URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": empty}, "401"},
	} {
		_, err := fetch(t, open(t, test.env, func(o *Options) { o.Endpoint = b.URL }))
		var e *fault.Error
		if !errors.As(err, &e) || e.Reason != outcome.SourceForbidden || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "pod-token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
