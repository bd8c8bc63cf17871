package module

import (
	"errors"
	"net/url"

	"github.com/kubeshark/kubeshark-pfring/module/internal/credentials"
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
	if u.Scheme == "http" {
		// Values may not name it, as not every repository is signed.
		return openHTTP(o, u)
	}
	for _, s := range Schemes() {
		if s.Name == u.Scheme {
			return s.open(o, u)
		}
	}
	return nil, badURL(web.Where(u), "must be "+URLForms())
}

// remote is what a source needs that is reached over a network: a login, if there
// is one, and a client.
func (o SourceOptions) remote(u *url.URL) (credentials.Credentials, *web.Client, error) {
	if u.Hostname() == "" {
		return credentials.Credentials{}, nil, badURL(web.Where(u), "it has no host")
	}
	auth, err := credentials.Load(o.CredentialsDir)
	if err != nil {
		return auth, nil, err
	}
	client, err := o.client()
	return auth, client, err
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
