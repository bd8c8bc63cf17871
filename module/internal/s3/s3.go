// Package s3 is a module repository in a bucket that is reached by the S3
// protocol: AWS, MinIO, Ceph. It does the few calls that reading and writing a
// repository need, with Signature Version 4, by hand, since the agent has to
// stay small; what it does not call is not linked into it. Keys
// come from a Secret, a web identity or EKS Pod Identity; without any, requests
// are anonymous. The instance's own identity (IMDS) is not used: it is the
// node's, not the pod's.
package s3

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/fault"
	"github.com/kubeshark/kubeshark-pfring/module/internal/stream"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Options say which bucket and how to reach it.
type Options struct {
	Bucket, Prefix string
	// Region is "" to take AWS_REGION, and us-east-1 without.
	Region string
	// Endpoint is the server's URL; "" is AWS's for the region.
	Endpoint string
	// PathStyle puts the bucket into the path and not into the host name.
	PathStyle bool
	Auth      credentials.Credentials
	Client    *web.Client
	// Getenv reads the environment, where Kubernetes' identity webhooks put
	// what a pod may use.
	Getenv func(string) string
}

// Source fetches objects below a prefix of a bucket.
type Source struct {
	Options
	endpoint *url.URL // nil for AWS's own
	identity *identity

	mu     sync.Mutex
	region string
}

// Open returns the repository in o.Bucket. It fails with *fault.Error when the
// endpoint is not a URL.
func Open(o Options) (*Source, error) {
	s := &Source{Options: o, region: o.Region}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if s.region == "" {
			s.region = o.Getenv(name)
		}
	}
	if s.region == "" {
		s.region = "us-east-1"
	}
	s.Prefix = strings.Trim(o.Prefix, "/")
	if o.Endpoint != "" {
		endpoint := o.Endpoint
		if !strings.Contains(endpoint, "://") {
			endpoint = "https://" + endpoint
		}
		u, err := url.Parse(endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return nil, &fault.Error{
				Reason: outcome.SourceInvalid, What: "open the bucket", Where: s.String(), Why: "source.endpoint is not a URL",
				Do: "Write tap.kernelModule.source.endpoint as https://host:port.",
			}
		}
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		s.endpoint = u
	}
	s.identity = &identity{auth: o.Auth, client: o.Client, getenv: o.Getenv, region: s.ownRegion}
	return s, nil
}

// String is the bucket's address as in the values.
func (s *Source) String() string {
	return strings.TrimSuffix("s3://"+s.Bucket+"/"+s.Prefix, "/")
}

// Fetch gets the object at path below the prefix.
func (s *Source) Fetch(ctx context.Context, path string, max int64) ([]byte, error) {
	return s.get(ctx, path, max, nil)
}

// FetchTo is Fetch that hands the object on as it comes.
func (s *Source) FetchTo(ctx context.Context, path string, max int64, to stream.Sink) error {
	_, err := s.get(ctx, path, max, to)
	return err
}

func (s *Source) get(ctx context.Context, path string, max int64, to stream.Sink) ([]byte, error) {
	u := s.object(path)
	response, err := s.Client.Fetch(ctx, web.Request{
		What: "fetch " + path, URL: u, Max: max, To: to, Sign: s.sign,
		Refused: func(_ context.Context, r *http.Response, body []byte) (bool, error) {
			again, err := s.refused("fetch "+path, r, body)
			if again {
				*u = *s.object(path)
			}
			return again, err
		},
	})
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

func (s *Source) sign(ctx context.Context, r *http.Request) error {
	keys, err := s.identity.keys(ctx)
	if err != nil || keys.AccessKeyID == "" {
		return err
	}
	signV4(r, keys, s.currentRegion(), "s3", time.Now())
	return nil
}

// object is the address of the object at path.
func (s *Source) object(path string) *url.URL {
	u := url.URL{Scheme: "https", Host: "s3." + awsDomain(s.currentRegion())}
	if s.endpoint != nil {
		u = *s.endpoint
	}
	key := path
	if s.Prefix != "" {
		key = s.Prefix + "/" + path
	}
	base := strings.TrimSuffix(u.Path, "/") + "/"
	if s.pathStyle(u) {
		base += s.Bucket + "/"
	} else {
		u.Host = s.Bucket + "." + u.Host
	}
	u.Path = base + key
	u.RawPath = web.EscapePath(u.Path)
	return &u
}

// pathStyle tells whether the bucket goes into the path: when asked for, and
// where a host name with it cannot work, for want of DNS or since a wildcard
// certificate covers no dots.
func (s *Source) pathStyle(u url.URL) bool {
	return s.PathStyle || net.ParseIP(u.Hostname()) != nil || u.Hostname() == "localhost" ||
		(u.Scheme == "https" && strings.Contains(s.Bucket, "."))
}

func awsDomain(region string) string {
	if strings.HasPrefix(region, "cn-") {
		return region + ".amazonaws.com.cn"
	}
	return region + ".amazonaws.com"
}

// ownRegion is where this machine is, for its identity: AWS_REGION, which EKS
// sets, and not that of a bucket that may be elsewhere.
func (s *Source) ownRegion() string {
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region := s.Getenv(name); region != "" {
			return region
		}
	}
	return s.currentRegion()
}

func (s *Source) currentRegion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.region
}
