package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

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
		"no key":     {404, "NoSuchKey", "does not exist", outcome.SourceInvalid},
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

// What a server says of an error, in S3's form or that of STS, fits into a message.
func FuzzParseAnswer(f *testing.F) {
	for _, body := range []string{
		"", "<Error><Code>AccessDenied</Code><Message>no.</Message></Error>", "<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>",
		"<Error><Code>\x1b]0;x\x07</Code></Error>", "<?xml version='1.0' encoding='utf-7'?><Error/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><Error><Code>&b;</Code></Error>",
		strings.Repeat("<Error>", 1000), "<Error><Region>eu-central-1</Region><Endpoint>https://u:p@h/</Endpoint></Error>",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a := parseAnswer(body)
		for _, text := range []string{a.Code, a.Message, a.Endpoint} {
			if len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("%q becomes %q", body, text)
			}
		}
	})
}
