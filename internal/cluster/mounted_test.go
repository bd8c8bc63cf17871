package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func TestSecretsAndConfigMapsBecomeFilesForTheCallerAlone(t *testing.T) {
	meta := metav1.ObjectMeta{Namespace: "ns", Name: "n"}
	client := fake.NewClientset(
		&corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"username": []byte("ann"), "password": []byte("s")}},
		&corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"ca.crt": "PEM"}},
	).CoreV1()
	dir := t.TempDir()
	if err := cluster.WriteSecret(t.Context(), client, "ns", "n", filepath.Join(dir, "secret")); err != nil {
		t.Fatal(err)
	}
	if err := cluster.WriteConfigMap(t.Context(), client, "ns", "n", filepath.Join(dir, "map")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"secret/username": "ann", "secret/password": "s", "map/ca.crt": "PEM"} {
		path = filepath.Join(dir, path)
		got, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(got) != want || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v, %v", path, got, info, err)
		}
	}
	if err := cluster.WriteSecret(t.Context(), client, "ns", "none", filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "ns/none") {
		t.Errorf("a Secret that is not there: %v", err)
	}
}
