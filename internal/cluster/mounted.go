package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// WriteSecret writes what the keys of a Secret hold into a new folder, as a
// kubelet mounts it, for the caller's eyes alone. The folder is the caller's to
// remove.
func WriteSecret(ctx context.Context, client corev1client.SecretsGetter, namespace, name, dir string) error {
	secret, err := client.Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read the Secret %s/%s that the values name: %w", namespace, name, err)
	}
	return writeKeys(dir, secret.Data)
}

// WriteConfigMap is WriteSecret for a ConfigMap.
func WriteConfigMap(ctx context.Context, client corev1client.ConfigMapsGetter, namespace, name, dir string) error {
	object, err := client.ConfigMaps(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("cannot read the ConfigMap %s/%s that the values name: %w", namespace, name, err)
	}
	data := map[string][]byte{}
	for key, text := range object.Data {
		data[key] = []byte(text)
	}
	return writeKeys(dir, data)
}

// writeKeys: the API server admits keys of letters, digits, '-', '_' and '.'
// only, and neither "." nor "..".
func writeKeys(dir string, data map[string][]byte) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	for key, value := range data {
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(key)), value, 0o600); err != nil {
			return err
		}
	}
	return nil
}
