package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/retry"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
)

// longestWait is how long in all a request waits because the API server asks to
// come again later.
const longestWait = 30 * time.Second

// Patient makes the requests of config say what they wait for, and bounds how long
// they come again where the API server is overloaded: not longer than the request's
// own deadline (--request-timeout), and never longer than half a minute. The client
// library itself would wait ten times for as long as the server says.
//
// A credential plugin of the kubeconfig is named while it keeps a request waiting:
// it may ask for a password in a browser, or hang.
func Patient(config *rest.Config) {
	login, through := loginOf(config), config.Proxy
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &patient{next, login, through} })
	if config.ExecProvider == nil || !strings.Contains(config.Host, "://") {
		return
	}
	// The client library puts the plugin around all that is wrapped, so what goes around
	// the plugin has to be a transport of its own.
	transport, err := rest.TransportFor(config)
	if err != nil {
		return // The first client that is made of config says so.
	}
	plugin := "the kubeconfig's credential plugin " + config.ExecProvider.Command
	plain := rest.AnonymousClientConfig(config)
	plain.TLSClientConfig, plain.WrapTransport, plain.Dial, plain.Proxy = rest.TLSClientConfig{}, nil, nil, nil
	plain.Transport = &plugged{transport, plugin}
	*config = *plain
}

// plugged is a transport with a credential plugin, which is named until the request
// is on its way.
type plugged struct {
	next   http.RoundTripper
	plugin string
}

// pluginKey has what ends naming the plugin, in a request's context.
type pluginKey struct{}

func (p *plugged) RoundTrip(r *http.Request) (*http.Response, error) {
	end := waiting.Begin(r.Context(), p.plugin)
	defer end()
	return p.next.RoundTrip(r.WithContext(context.WithValue(r.Context(), pluginKey{}, end)))
}

type patient struct {
	next  http.RoundTripper
	login login
	// through is the kubeconfig's proxy; nil is that of the environment.
	through func(*http.Request) (*url.URL, error)
}

func (p *patient) RoundTrip(r *http.Request) (*http.Response, error) {
	server := "the API server at " + r.URL.Scheme + "://" + r.URL.Host
	first := time.Now()
	if end, ok := r.Context().Value(pluginKey{}).(func()); ok {
		end()
	}
	for {
		end := waiting.Begin(r.Context(), server)
		response, err := p.next.RoundTrip(r)
		end()
		if err != nil {
			return nil, p.refusedByProxy(r, err)
		}
		pause, overloaded := later(response)
		if !overloaded {
			if err := p.foreign(response); err != nil {
				drop(response)
				return nil, err
			}
			return response, nil
		}
		until := first.Add(longestWait)
		if deadline, ok := r.Context().Deadline(); ok && deadline.Before(until) {
			until = deadline
		}
		rewound, ok := retry.Rewind(r)
		drop(response)
		if !ok || time.Now().Add(pause).After(until) {
			return nil, &apierror.OverloadedError{Wait: pause}
		}
		r = rewound
		end = waiting.Begin(r.Context(), server+", which is overloaded and asks to wait "+pause.String())
		err = wait.For(r.Context(), pause)
		end()
		if err != nil {
			return nil, err
		}
	}
}

// refusedByProxy names the proxy that has not let a connection through, of which the
// library says no more than the status of its answer.
func (p *patient) refusedByProxy(r *http.Request, err error) error {
	through := p.through
	if through == nil {
		through = http.ProxyFromEnvironment
	}
	proxy, broken := through(r)
	// The library makes the error of the text alone.
	bare := fmt.Sprintf("%T", err) == fmt.Sprintf("%T", errors.New(""))
	if broken != nil || proxy == nil || r.URL.Scheme != "https" || !bare || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, http.ErrSchemeMismatch) || strings.HasPrefix(err.Error(), "net/http: ") {
		return err
	}
	return &apierror.ProxyError{Proxy: proxy.Host, Said: err.Error()}
}

// foreign tells an answer that no API server gives, of a login page, or a proxy, and
// why a login is refused where that can be seen from here. The client library would
// send the login after a redirect, and read a page as JSON.
func (p *patient) foreign(r *http.Response) error {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	to, err := r.Location()
	switch {
	case r.StatusCode >= 300 && r.StatusCode < 400 && err == nil:
		return &apierror.RedirectedError{To: to.Scheme + "://" + to.Host}
	case strings.TrimSpace(media) == "text/html":
		return &apierror.WebPageError{Status: r.StatusCode}
	case r.StatusCode == http.StatusUnauthorized && !p.login.end.IsZero() && p.login.end.Before(time.Now()):
		return &apierror.ExpiredError{What: p.login.what, At: p.login.end}
	}
	return nil
}

// later is how long the server asks to wait; false if it does not.
func later(r *http.Response) (time.Duration, bool) {
	if r.StatusCode != http.StatusTooManyRequests && r.StatusCode < 500 {
		return 0, false
	}
	pause, ok := retry.After(r.Header, time.Now())
	return max(time.Second, pause), ok
}

// drop lets the connection be used again. The answer is of no use.
func drop(r *http.Response) {
	_, _ = io.CopyN(io.Discard, r.Body, 64<<10) // what cannot be read costs a new connection, no more
	_ = r.Body.Close()                          // as above
}
