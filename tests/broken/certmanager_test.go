package broken_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubeshark/kubeshark-pfring/tests/child"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// certManagerPart starts a part of cert-manager itself, and returns how to end
// it. It dies with the test at the latest.
func certManagerPart(t *testing.T, program, part string, args ...string) (stop func()) {
	t.Helper()
	args = append([]string{part, "--kubeconfig", shared.Kubeconfig, "--namespace", "cert-manager"}, args...)
	cmd := exec.Command(program, args...)
	log, err := os.Create(filepath.Join(t.TempDir(), part+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	done, err := child.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill() // it may have ended by itself
			<-done
		}
	}
	t.Cleanup(func() {
		stop()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s ends:\n%s", part, text[max(0, len(text)-4000):])
		}
	})
	return stop
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

// called has cert-manager's own webhook called on a port, with a CA.
func called(t *testing.T, port, ca string) {
	t.Helper()
	for kind, path := range map[string]string{"ValidatingWebhookConfiguration": "/validate", "MutatingWebhookConfiguration": "/mutate"} {
		changed(t, kind, "cert-manager-webhook", func(o *unstructured.Unstructured) {
			client(object{"url": "https://localhost:" + port + path, "caBundle": ca})(o)
			o.SetAnnotations(map[string]string{"cert-manager.io/inject-ca-from-secret": "cert-manager/cert-manager-webhook-ca"})
			list, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
			list[0].(object)["timeoutSeconds"] = int64(10)
			o.Object["webhooks"] = list
		})
	}
}

// cert-manager itself issues the certificate of KMM's webhook and makes both
// webhooks trusted; then it breaks, part by part.
func TestCertManagerItself(t *testing.T) {
	whole(t)
	program, err := toolbin.CertManager()
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	stopWebhook := certManagerPart(t, program, "webhook", "--port", port)
	stopInjector := certManagerPart(t, program, "cainjector")
	called(t, port, "")
	trusted(t)
	listens(t, port)
	certManagerPart(t, program, "controller")
	serveIssued(t)

	attempt{mode: "kmm", args: []string{"--wait", "30s"}}.finds(t)

	t.Run("its webhook is down", func(t *testing.T) {
		stopWebhook()
		attempt{mode: "kmm"}.finds(t, "cert-manager.webhook error webhook-connection-refused")
	})
	stopInjector()
	t.Run("an expired certificate", func(t *testing.T) {
		port := freePort(t)
		cert, err := shared.addons.issuer.issue(func(c *x509.Certificate) {
			c.NotAfter, c.DNSNames = time.Now().Add(-time.Minute), []string{"localhost"}
		})
		if err != nil {
			t.Fatal(err)
		}
		certManagerPart(t, program, "webhook", "--port", port, "--cert", writeCert(t, cert))
		listens(t, port)
		called(t, port, pem64(shared.addons.issuer))
		attempt{mode: "kmm"}.finds(t, "cert-manager.webhook error webhook-certificate-expired")
	})
	t.Run("the CA was not injected", func(t *testing.T) {
		port := freePort(t)
		certManagerPart(t, program, "webhook", "--port", port)
		listens(t, port)
		called(t, port, "")
		attempt{mode: "kmm"}.finds(t, "cert-manager.ca-injected error ca-not-injected", "cert-manager.webhook error webhook-ca-untrusted")
	})
	t.Run("an old release", func(t *testing.T) {
		for _, definition := range shared.addons.certDefinitions {
			changed(t, "CustomResourceDefinition", definition.GetName(), func(o *unstructured.Unstructured) {
				list, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
				old := runtime.DeepCopyJSON(list[0].(object))
				old["name"], old["storage"] = "v1alpha2", false
				list[0].(object)["served"] = false
				o.Object["spec"].(object)["versions"] = append(list, old)
			})
		}
		attempt{mode: "kmm"}.finds(t, "cert-manager.definitions error definitions-not-served")
	})
}

// trusted waits until the cainjector has written the CA of cert-manager's webhook.
func trusted(t *testing.T) {
	t.Helper()
	err := kube.Poll(t.Context(), "the cainjector to inject the CA", func(ctx context.Context) (bool, error) {
		for _, kind := range []string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"} {
			o, err := at(named(t, kind, "cert-manager-webhook")).Get(ctx, named(t, kind, "cert-manager-webhook").GetName(), metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			list, _, _ := unstructured.NestedSlice(o.Object, "webhooks")
			if ca, _, _ := unstructured.NestedString(list[0].(object), "clientConfig", "caBundle"); ca == "" {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// listens waits until a webhook takes connections.
func listens(t *testing.T, port string) {
	t.Helper()
	err := kube.Poll(t.Context(), "a webhook on port "+port, func(context.Context) (bool, error) {
		// It answers only once it has a certificate, which it may have to make first.
		dialer := &net.Dialer{Timeout: time.Second}
		conn, err := tls.DialWithDialer(dialer, "tcp", "127.0.0.1:"+port, &tls.Config{InsecureSkipVerify: true}) // #nosec G402 -- what it serves is not the point here
		if err != nil {
			return false, nil //nolint:nilerr // a refused connection is what is waited out
		}
		return true, conn.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serveIssued has cert-manager issue the certificate of KMM's webhook, as KMM's
// own installation asks for it, and serves that webhook with it.
func serveIssued(t *testing.T) {
	t.Helper()
	issuer, err := parse("{apiVersion: cert-manager.io/v1, kind: Issuer, metadata: {name: kmm-operator-selfsigned-issuer, namespace: kmm-operator-system}, spec: {selfSigned: {}}}")
	if err != nil {
		t.Fatal(err)
	}
	applyAll(t, []*unstructured.Unstructured{issuer})
	t.Cleanup(func() { removeAll(t, []*unstructured.Unstructured{issuer}) })
	changed(t, "Certificate", "kmm-operator", func(o *unstructured.Unstructured) {
		spec := o.Object["spec"].(object)
		spec["dnsNames"] = append(spec["dnsNames"].([]any), "localhost")
		delete(o.Object, "status")
	})
	var pair tls.Certificate
	err = kube.Poll(t.Context(), "cert-manager to issue the certificate of KMM's webhook", func(ctx context.Context) (bool, error) {
		s, err := shared.Client.CoreV1().Secrets("kmm-operator-system").Get(ctx, "kmm-operator-webhook-server-cert", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		if err != nil || len(s.Data["tls.crt"]) == 0 {
			return false, err
		}
		pair, err = tls.X509KeyPair(s.Data["tls.crt"], s.Data["tls.key"])
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	address, err := serve(t.Context(), pair, admission(kernelModules))
	if err != nil {
		t.Fatal(err)
	}
	_, kmmPort, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	changed(t, "ValidatingWebhookConfiguration", "kmm-operator-validating", client(object{"url": "https://localhost:" + kmmPort + "/validate-module", "caBundle": ""}))
}

func writeCert(t *testing.T, cert tls.Certificate) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "tls.crt")
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: cert.Certificate[0]}, file + ".key": {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}
