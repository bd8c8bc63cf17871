package module

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"regexp"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/folder"
	"github.com/kubeshark/kubeshark-pfring/module/internal/httpdir"
	"github.com/kubeshark/kubeshark-pfring/module/internal/oci"
	"github.com/kubeshark/kubeshark-pfring/module/internal/s3"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
)

// Scheme is one kind of module repository, named by the scheme of its URL.
type Scheme struct {
	// Name is the scheme, such as "s3".
	Name string
	// Form is what a URL looks like, such as s3://BUCKET/PREFIX.
	Form string
	// Rule completes Form where that alone does not say what is valid, else "".
	Rule string
	// Example is a valid URL.
	Example string

	pattern string
	open    func(o SourceOptions, u *url.URL) (Source, error)
}

// Schemes are all kinds of module repositories that values may name, in the order
// in which people read of them. What is written of them elsewhere (the values'
// schema, messages, documentation) is made from this table or held to it by a test,
// so a new kind takes its package and its row.
func Schemes() []Scheme {
	return []Scheme{
		{
			Name: "https", Form: "https://HOST/PATH", Example: "https://modules.example.com/pf-ring",
			pattern: `^https://[^/?#]`, open: openHTTP,
		},
		{
			Name: "s3", Form: "s3://BUCKET/PREFIX", Example: "s3://my-bucket/pf-ring",
			Rule:    ` with a bucket name of 3 to 63 characters of a-z, 0-9, "." and "-"`,
			pattern: `^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^?#]*)?$`, open: openS3,
		},
		{
			Name: "oci", Form: "oci://REGISTRY/REPOSITORY", Example: "oci://registry.example.com/pf-ring",
			Rule:    ", where the registry has a dot or a port in its name",
			pattern: registryURL, open: openRegistry,
		},
		{
			Name: "file", Form: "file:///PATH", Example: "file:///modules",
			Rule:    " with an absolute path below / and without any of : % ? #",
			pattern: `^file:///[^/:%?#][^:%?#]*$`, open: openFolder,
		},
	}
}

// SchemeOf is the scheme of a URL, if it is one of Schemes.
func SchemeOf(text string) (s Scheme, found bool) {
	name, _, isURL := strings.Cut(text, "://")
	for _, s := range Schemes() {
		if isURL && s.Name == name {
			return s, true
		}
	}
	return Scheme{}, false
}

// Valid reports whether values may name text, a URL of this scheme. OpenSource
// is more lenient, as a person may use names that mean something on one machine
// only.
func (s Scheme) Valid(text string) bool {
	_, err := url.Parse(text)
	return err == nil && regexp.MustCompile(s.pattern).MatchString(text)
}

// URLForms is the list of forms that a repository's URL may have.
func URLForms() string {
	var forms []string
	for _, s := range Schemes() {
		forms = append(forms, s.Form)
	}
	last := len(forms) - 1
	return strings.Join(forms[:last], ", ") + " or " + forms[last]
}

// registryURL has a reference as the OCI distribution specification has it, with a
// registry that nobody takes for the first part of a repository's name.
const (
	registryURL = `^oci://(?:localhost|` + hostLabel + `(?:\.` + hostLabel + `)+|` + hostLabel + `(?:\.` + hostLabel + `)*:[0-9]+)` +
		`(?:/` + pathPart + `)+(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9]+(?:[+._-][a-z0-9]+)*:[A-Za-z0-9]+)?$`
	hostLabel = `[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?`
	pathPart  = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
)

func openFolder(_ SourceOptions, u *url.URL) (Source, error) {
	if u.Host != "" && u.Host != "localhost" {
		return nil, badURL(web.Where(u), fmt.Sprintf("a file URL has three slashes: file:///%s%s", u.Host, u.Path))
	}
	if !path.IsAbs(u.Path) {
		return nil, badURL(web.Where(u), "its path does not begin with /")
	}
	return folder.Open(u.Path), nil
}

func openHTTP(o SourceOptions, u *url.URL) (Source, error) {
	auth, client, err := o.remote(u)
	if err != nil {
		return nil, err
	}
	return httpdir.Open(u, auth, client), nil
}

func openS3(o SourceOptions, u *url.URL) (Source, error) {
	bucket, err := o.bucket(u)
	if err != nil {
		return nil, err
	}
	return bucket, nil
}

// bucket opens the bucket at u, for reading and writing.
func (o SourceOptions) bucket(u *url.URL) (*s3.Source, error) {
	auth, client, err := o.remote(u)
	if err != nil {
		return nil, err
	}
	return s3.Open(s3.Options{
		Bucket: u.Host, Prefix: u.Path, Region: o.Region, Endpoint: o.Endpoint, PathStyle: o.PathStyle, Auth: auth, Client: client, Getenv: os.Getenv,
	})
}

func openRegistry(o SourceOptions, u *url.URL) (Source, error) {
	auth, client, err := o.remote(u)
	if err != nil {
		return nil, err
	}
	return oci.Open(oci.Options{
		Registry: u.Host, Repository: u.Path, Endpoint: o.Endpoint, Auth: auth, DockerConfig: o.DockerConfig, Client: client,
		Login: o.registryLogin(),
	})
}

// registryLogin is o.Login in the words of package oci.
func (o SourceOptions) registryLogin() func(registry, repository string) (credentials.Credentials, error) {
	if o.Login == nil {
		return nil
	}
	return func(registry, repository string) (credentials.Credentials, error) {
		l, err := o.Login(registry, repository)
		return credentials.Credentials{Username: l.Username, Password: l.Password, Token: l.RegistryToken, IdentityToken: l.IdentityToken}, err
	}
}
