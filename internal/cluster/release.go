package cluster

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// maxRelease bounds a release record, in bytes. A Secret holds at most 1 MiB
// compressed.
const maxRelease = 64 << 20

// errNoRelease means that Helm has no such release installed.
var errNoRelease = errors.New("not installed by Helm")

// Installed is the deployed revision of a release, as Helm keeps it.
type Installed struct {
	// Values are those that the user gave, as `helm get values` prints them.
	Values map[string]any
	// Manifest is what was applied, as `helm get manifest` prints it.
	Manifest string
	// Chart is the name of its chart, and Defaults what that chart's values are, with
	// what the user gave among them if it has dependencies.
	Chart    string
	Defaults map[string]any
}

// Below are the values that a dependency of the release's chart has, by its key: those
// that the user gave over those of the chart.
func (i Installed) Below(key string) map[string]any {
	values := map[string]any{}
	for _, layer := range []map[string]any{i.Defaults, i.Values} {
		if own, is := layer[key].(map[string]any); is {
			overlay(values, own)
		}
	}
	return values
}

// overlay puts one tree over another.
func overlay(to, from map[string]any) {
	for key, value := range from {
		below, is := value.(map[string]any)
		if !is {
			to[key] = value
			continue
		}
		under, is := to[key].(map[string]any)
		if !is {
			under = map[string]any{}
			to[key] = under
		}
		overlay(under, below)
	}
}

// ReleaseRecord reads the deployed revision of a release. Helm keeps each revision
// in a Secret: JSON, gzipped, in base64.
func ReleaseRecord(ctx context.Context, config *rest.Config, namespace, name string) (Installed, error) {
	client, err := corev1client.NewForConfig(config)
	if err != nil {
		return Installed{}, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	selector := labels.Set{"owner": "helm", "name": name, "status": "deployed"}.String()
	list, err := client.Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return Installed{}, fmt.Errorf("cannot find the release %s in namespace %s: %w", name, namespace, err)
	}
	newest, revision := (*corev1.Secret)(nil), 0
	for i := range list.Items {
		if n, err := strconv.Atoi(list.Items[i].Labels["version"]); err == nil && n > revision {
			newest, revision = &list.Items[i], n
		}
	}
	if newest == nil {
		return Installed{}, fmt.Errorf("%w: release %s in namespace %s. Check the name and the namespace: helm list -A", errNoRelease, name, namespace)
	}
	record, err := recordOf(newest.Data["release"])
	if err != nil {
		return Installed{}, fmt.Errorf("cannot read Helm's Secret %s/%s: %w", namespace, newest.Name, err)
	}
	return record, nil
}

// recordOf decodes a release record. Records from before Helm compressed them
// are plain JSON below the base64.
func recordOf(record []byte) (Installed, error) {
	data, err := base64.StdEncoding.DecodeString(string(record))
	if err != nil {
		return Installed{}, err
	}
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		unzip, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return Installed{}, err
		}
		if data, err = io.ReadAll(io.LimitReader(unzip, maxRelease+1)); err != nil {
			return Installed{}, err
		}
		if len(data) > maxRelease {
			return Installed{}, fmt.Errorf("it is larger than %d MiB", maxRelease>>20)
		}
	}
	var release struct {
		Config   map[string]any `json:"config"`
		Manifest string         `json:"manifest"`
		Chart    struct {
			Metadata struct {
				Name string `json:"name"`
			} `json:"metadata"`
			Values map[string]any `json:"values"`
		} `json:"chart"`
	}
	if err := json.Unmarshal(data, &release); err != nil {
		return Installed{}, err
	}
	return Installed{Values: release.Config, Manifest: release.Manifest, Chart: release.Chart.Metadata.Name, Defaults: release.Chart.Values}, nil
}
