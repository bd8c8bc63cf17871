package module

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
	"github.com/kubeshark/kubeshark-pfring/module/internal/folder"
	"github.com/kubeshark/kubeshark-pfring/module/internal/httpdir"
	"github.com/kubeshark/kubeshark-pfring/module/internal/oci"
	"github.com/kubeshark/kubeshark-pfring/module/internal/s3"
	"github.com/kubeshark/kubeshark-pfring/module/internal/web"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// OpenSource returns the source at o.URL. It reads the files that o names and
// reaches for nothing else. It fails with *Error.
func OpenSource(o SourceOptions) (Source, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, badURL("", "it is not a URL") // err would repeat it, with a password if it has one
	}
	shown := web.Where(u)
	switch u.Scheme {
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return nil, badURL(shown, fmt.Sprintf("a file URL has three slashes: file:///%s%s", u.Host, u.Path))
		}
		if !path.IsAbs(u.Path) {
			return nil, badURL(shown, "its path does not begin with /")
		}
		return folder.Open(u.Path), nil
	case "https", "http", "s3", "oci":
		if u.Hostname() == "" {
			return nil, badURL(shown, "it has no host")
		}
		return openRemote(o, u)
	default:
		return nil, badURL(shown, "its scheme must be https, s3, oci or file")
	}
}

func openRemote(o SourceOptions, u *url.URL) (Source, error) {
	auth, err := credentials.Load(o.CredentialsDir)
	if err != nil {
		return nil, err
	}
	client, err := o.client()
	if err != nil {
		return nil, err
	}
	switch u.Scheme {
	case "s3":
		return s3.Open(s3.Options{
			Bucket: u.Host, Prefix: u.Path, Region: o.Region, Endpoint: o.Endpoint, PathStyle: o.PathStyle, Auth: auth, Client: client, Getenv: os.Getenv,
		})
	case "oci":
		return oci.Open(oci.Options{
			Registry: u.Host, Repository: u.Path, Endpoint: o.Endpoint, Auth: auth, DockerConfig: o.DockerConfig, Client: client,
			Login: o.registryLogin(),
		})
	default:
		return httpdir.Open(u, auth, client), nil
	}
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

// client makes the HTTP client that o describes.
func (o SourceOptions) client() (*web.Client, error) {
	login, err := credentials.Load(o.ProxyCredentialsDir)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.What, e.Do = "read the proxy's login", "Check the Secret that tap.kernelModule.source.proxy.secret names."
		}
		return nil, err
	}
	return web.New(web.Options{
		CAFile: o.CAFile, ProxyHTTP: o.ProxyHTTP, ProxyHTTPS: o.ProxyHTTPS, ProxyNo: o.ProxyNo,
		ProxyUser: login.Username, ProxyPassword: login.Password, UserAgent: o.UserAgent, Log: o.Log,
		UnknownHostFinal: o.UnknownHostFinal,
	})
}

func badURL(where, why string) error {
	return &Error{
		Reason: outcome.SourceInvalid, What: "open the module repository", Where: where, Why: why,
		Do: "Correct tap.kernelModule.source.url.",
	}
}
