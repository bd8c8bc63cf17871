package compatibility_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestTheNodesOwnSecretsOpenAPrivateSource: address, user, key and CA of the
// repository are known to the cluster alone.
func TestTheNodesOwnSecretsOpenAPrivateSource(t *testing.T) {
	s := serve(t, "6.1.0-18-amd64")
	s.password = "p4ssw0rd"
	ca, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	namespace := shared.Namespace(t, "")
	for name, data := range map[string]map[string][]byte{
		"login": {"username": []byte("ann"), "password": []byte(s.password)},
		"keys":  {"2026.pub": []byte("untrusted comment: of 2026\n" + s.key + "\n")},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data}
		if _, err := shared.Client.CoreV1().Secrets(namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	bundle := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "ca"}, Data: map[string]string{"root.pem": string(ca)}}
	if _, err := shared.Client.CoreV1().ConfigMaps(namespace).Create(t.Context(), bundle, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	selector := addNodes(t, 2, "private", nil)
	args := []string{
		"-l", selector, "-n", namespace, "--set", "tap.kernelModule.source.url=" + s.url, "--set", "tap.kernelModule.source.credentialsSecret=login",
		"--set", "tap.kernelModule.source.publicKeySecret=keys", "--set", "tap.kernelModule.source.caBundle.configMap=ca",
		"--set", "tap.kernelModule.source.caBundle.key=root.pem",
	}
	if _, got := reportOf(t, shared.Kubeconfig, args...); got.code != 2 || !strings.Contains(got.stderr, "certificate") {
		t.Errorf("without them: exit %d\n%s", got.code, got.stderr)
	}
	r, got := reportOf(t, shared.Kubeconfig, append(args, "--use-cluster-secrets")...)
	if got.code != 0 || r.Totals.Yes != 2 || r.Verify != "signature" {
		t.Errorf("with them: exit %d, %+v, verified by %q\n%s", got.code, r.Totals, r.Verify, got.stderr)
	}
	if strings.Contains(got.stdout+got.stderr, s.password) {
		t.Error("the password is printed")
	}
	_, got = reportOf(t, shared.Kubeconfig, append(args, "--use-cluster-secrets", "--set", "tap.kernelModule.source.credentialsSecret=none")...)
	if got.code != 2 || !strings.Contains(got.stderr, namespace+"/none") {
		t.Errorf("a Secret that is not there: exit %d\n%s", got.code, got.stderr)
	}
	if left, err := filepath.Glob(os.Getenv("TMPDIR") + "/*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
