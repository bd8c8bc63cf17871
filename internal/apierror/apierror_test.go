package apierror_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
)

// answers is an API server that answers everything so.
func answers(t *testing.T, code int, reason metav1.StatusReason, message string) *rest.Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(metav1.Status{
			TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
			Code: int32(code), Reason: reason, Message: message,
		})
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}
}

// list asks for nodes, as the commands do.
func list(t *testing.T, config *rest.Config) error {
	t.Helper()
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: "a=b,c=d"})
	if err == nil {
		t.Fatal("the list succeeded")
	}
	return fmt.Errorf("cannot list nodes: %w", err)
}

func TestWhatTheAPIServerSaysIsPutIntoWords(t *testing.T) {
	const denied = `nodes is forbidden: User "ann" cannot list resource "nodes" in API group "" at the cluster scope`
	for name, test := range map[string]struct {
		err  func(*testing.T) error
		kind apierror.Kind
		want []string
	}{
		"forbidden": {func(t *testing.T) error { return list(t, answers(t, 403, metav1.StatusReasonForbidden, denied)) }, apierror.Forbidden,
			[]string{`cannot list nodes: forbidden: user "ann" may not list nodes in the whole cluster`, "ClusterRole pfring-status (deploy/rbac/status.yaml)"}},
		"forbidden in a namespace": {func(t *testing.T) error {
			return list(t, answers(t, 403, metav1.StatusReasonForbidden, `jobs.batch is forbidden: User "ann" cannot create resource "jobs" in API group "batch" in the namespace "ks"`))
		}, apierror.Forbidden, []string{"may not create jobs.batch in namespace ks", "deploy/rbac/build.yaml"}},
		"forbidden by a webhook": {func(t *testing.T) error {
			return list(t, answers(t, 403, metav1.StatusReasonForbidden, "not on Sundays\x1b]0;x\x07\r\n::error::pwned"))
		}, apierror.Forbidden, []string{"forbidden: not on Sundays]0;x ::error::pwned"}},
		"an expired login": {func(t *testing.T) error {
			return list(t, answers(t, 401, metav1.StatusReasonUnauthorized, "Unauthorized"))
		}, apierror.Unauthorized,
			[]string{"does not accept your login", "Log in again"}},
		"another server": {func(t *testing.T) error {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return list(t, &rest.Config{Host: server.URL})
		}, apierror.NotKubernetes, []string{"address in the kubeconfig"}},
		"a failure": {func(t *testing.T) error {
			return list(t, answers(t, 500, metav1.StatusReasonInternalError, "etcd is gone"))
		}, apierror.Failed,
			[]string{"the API server failed (500): etcd is gone"}},
		"refused": {func(t *testing.T) error { return list(t, &rest.Config{Host: "https://127.0.0.1:1"}) }, apierror.Unreachable,
			[]string{"cannot reach the API server at https://127.0.0.1:1: connection refused", "kubeconfig /home/ann/config"}},
		"an unknown authority": {func(t *testing.T) error {
			server := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			server.Config.ErrorLog = nil
			return list(t, &rest.Config{Host: server.URL})
		}, apierror.Untrusted, []string{"signed by an unknown authority"}},
		"no TLS": {func(t *testing.T) error {
			server := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(server.Close)
			return list(t, &rest.Config{Host: strings.Replace(server.URL, "http:", "https:", 1)})
		}, apierror.NotKubernetes, []string{"does not speak TLS"}},
		"silence": {func(t *testing.T) error {
			listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
			return list(t, &rest.Config{Host: "http://" + listener.Addr().String(), Timeout: 50_000_000})
		}, apierror.Timeout, []string{"no response in time", "--request-timeout"}},
		"a cut connection": {func(*testing.T) error {
			return fmt.Errorf("cannot list nodes: %w", &url.Error{Op: "Get", URL: "https://h/api/v1/nodes?labelSelector=a%3Db", Err: io.EOF})
		}, apierror.Unreachable, []string{"https://h: the server closed the connection"}},
		"a credential plugin that is not installed": {func(t *testing.T) error {
			return list(t, withPlugin("no-such-plugin", "Get it from https://example.com."))
		}, apierror.NoCredentials,
			[]string{"credential plugin no-such-plugin is not installed, or not in $PATH. Install it. The kubeconfig says: Get it from https://example.com."}},
		"a credential plugin that fails": {func(t *testing.T) error { return list(t, withPlugin("false", "")) }, apierror.NoCredentials,
			[]string{"credential plugin failed: executable false failed with exit code 1. Run the plugin by hand"}},
		"a credential plugin that prints something else": {func(t *testing.T) error { return list(t, withPlugin("echo", "", "<html>")) }, apierror.NoCredentials,
			[]string{"printed no credentials that Kubernetes knows. Run the plugin by hand"}},
		"a credential plugin that prints nothing": {func(t *testing.T) error { return list(t, withPlugin("true", "")) }, apierror.NoCredentials,
			[]string{"printed no credentials"}},
		"a credential plugin that prints another version": {func(t *testing.T) error {
			return list(t, withPlugin("echo", "", `{"apiVersion":"client.authentication.k8s.io/v1alpha1","kind":"ExecCredential","status":{"token":"secret"}}`))
		}, apierror.NoCredentials, []string{"printed no credentials that Kubernetes knows", "apiVersion in the kubeconfig"}},
		"a credential plugin that prints no token": {func(t *testing.T) error {
			return list(t, withPlugin("echo", "", `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{}}`))
		}, apierror.NoCredentials, []string{"printed no credentials"}},
		"an overloaded server": {func(*testing.T) error {
			return fmt.Errorf("cannot list nodes: %w", &url.Error{Op: "Get", URL: "https://h/api", Err: &apierror.OverloadedError{Wait: time.Hour}})
		}, apierror.Throttled, []string{"the API server at https://h is overloaded and asks to wait 1h0m0s"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.err(t)
			caller := apierror.Caller{Command: "status", Kubeconfig: "/home/ann/config"}
			words, ok := apierror.Describe(err, caller)
			if !ok || words.Kind != test.kind {
				t.Errorf("%+v, %v", words, ok)
			}
			got := apierror.Reword(err, caller)
			for _, want := range test.want {
				if !strings.Contains(got.Error(), want) {
					t.Errorf("%q does not say %q", got, want)
				}
			}
			for _, bad := range []string{"%3D", "labelSelector", "Get \"", "dial tcp", "x509", "json:", "struct", "secret", "\x1b", "\n", "\r", "strconv"} {
				if strings.Contains(got.Error(), bad) {
					t.Errorf("%q has %q in it", got, bad)
				}
			}
			if !strings.HasPrefix(got.Error(), "cannot list nodes: ") || !errors.Is(got, err) {
				t.Errorf("%q lost what was being done", got)
			}
		})
	}
}

// withPlugin gets its credentials from a program.
func withPlugin(command, hint string, args ...string) *rest.Config {
	return &rest.Config{Host: "https://127.0.0.1:1", ExecProvider: &clientcmdapi.ExecConfig{
		Command: command, Args: args, APIVersion: "client.authentication.k8s.io/v1", InstallHint: hint, InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}}
}

// registryError is a registry's, as package image has them.
type registryError struct{ error }

func (registryError) Registry() string { return "registry.example.com" }

func (e registryError) Unwrap() error { return e.error }

func TestTheAddressIsCheckedWhereItIsFrom(t *testing.T) {
	refused := fmt.Errorf("cannot list nodes: %w", &url.Error{Op: "Get", URL: "https://h/api", Err: syscall.ECONNREFUSED})
	for want, caller := range map[string]apierror.Caller{
		"the server's address in the kubeconfig /home/ann/config.": {Kubeconfig: "/home/ann/config"},
		"the server's address in --server.":                        {Kubeconfig: "/home/ann/config", ServerFlag: true},
		"the server's address in the kubeconfig or in --server.":   {},
	} {
		if got := apierror.Reword(refused, caller).Error(); !strings.HasSuffix(got, want) {
			t.Errorf("%q, want it to end in %q", got, want)
		}
	}
}

func TestARegistryIsNotTheAPIServer(t *testing.T) {
	for want, cause := range map[string]error{
		"cannot push: cannot reach the registry registry.example.com: the name registry.example.com cannot be resolved. Check the registry's name, and this machine's DNS and VPN.": &net.DNSError{Name: "registry.example.com", IsNotFound: true},
		"cannot push: cannot reach the registry registry.example.com: its certificate is signed by an unknown authority. Name the CA that signed its certificate with --ca-file.":   x509.UnknownAuthorityError{},
		"cannot push: cannot reach the registry registry.example.com: connection refused. Check this machine's network and proxy.":                                                  syscall.ECONNREFUSED,
	} {
		err := fmt.Errorf("cannot push: %w", &url.Error{Op: "Get", URL: "https://registry.example.com/v2/", Err: registryError{cause}})
		if got := apierror.Reword(err, apierror.Caller{}).Error(); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

func TestOtherErrorsStayAsTheyAre(t *testing.T) {
	for _, err := range []error{nil, io.EOF, context.Canceled, errors.New("a")} {
		if got := apierror.Reword(err, apierror.Caller{}); !errors.Is(got, err) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

func TestCertificatesAreToldApart(t *testing.T) {
	for text, err := range map[string]error{
		"for another name than api.example.com": x509.HostnameError{Certificate: &x509.Certificate{}, Host: "api.example.com"},
		"expired on":                            x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired},
		"refuses this client's certificate":     &net.OpError{Op: "remote error", Err: tls.AlertError(42)},
	} {
		config := &rest.Config{Host: "https://api.example.com", Transport: failing{err}}
		if got := apierror.Reword(list(t, config), apierror.Caller{}).Error(); !strings.Contains(got, text) {
			t.Errorf("%q does not say %q", got, text)
		}
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestAKubeconfigIsNamedByItsPath(t *testing.T) {
	load := func(path, context string) error {
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
		_, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: context}).ClientConfig()
		return apierror.Kubeconfig(err, path, "", context)
	}
	if got := load("/nope/config", "").Error(); !strings.Contains(got, "kubeconfig /nope/config not found") || strings.Contains(got, "stat ") {
		t.Error(got)
	}
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte("current-context: gone\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for context, want := range map[string]string{
		"":     "kubeconfig " + file + ` has no context "gone", which is its current-context. Run 'kubectl config get-contexts'.`,
		"nope": "kubeconfig " + file + ` has no context "nope". Run 'kubectl config get-contexts'.`,
	} {
		if got := load(file, context).Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for text, want := range map[string]string{
		"users: [{name: u, user: {exec: {command: false, apiVersion: v1}}}]": "invalid users.user.exec.command: must be a string, not a value of type bool.",
		"clusters: nonsense":         "invalid clusters: must be a map or a list, not a value of type string.",
		"current-context: a\n\tb: c": "line 2",
		"<html>":                     "must be a map or a list, not a value of type string.",
	} {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := load(file, "").Error()
		if !strings.HasPrefix(got, "cannot read kubeconfig "+file+": ") || !strings.Contains(got, want) || strings.Contains(got, "Go ") || strings.Count(got, file) != 1 {
			t.Errorf("%q: %s", text, got)
		}
	}
}
