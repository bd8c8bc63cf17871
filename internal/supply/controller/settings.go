package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// Labels and annotations of build Jobs.
const (
	buildLabel        = "kubeshark-pfring/supply"
	buildLabelValue   = "build"
	tryAnnotation     = "kubeshark-pfring/try"
	inputsAnnotation  = "kubeshark-pfring/inputs"
	versionAnnotation = "kubeshark-pfring/version"
	imageAnnotation   = "kubeshark-pfring/os-image"
)

// keepJobs is how long a Job stays whose log nobody has read.
const keepJobs = 6 * time.Hour

// settings turns the values of supply.builder into how Jobs are made, all but
// the source, which depends on the version.
func settings(o Options, names supply.Names, owner *metav1.OwnerReference) (build.Settings, error) {
	b := o.Config.Supply.Builder
	s := build.Settings{
		Namespace: o.Namespace, Script: b.Script, PullSecrets: b.PullSecrets, Proxy: map[string]string{},
		HostHeaders: b.HostHeaders, Timeout: time.Duration(o.Config.Supply.Timeout), Mirrors: b.PackageMirrors,
		Labels: names.Labels(), Owner: owner, NodeSelector: b.NodeSelector, Keep: keepJobs,
	}
	s.Labels[buildLabel] = buildLabelValue
	for name, value := range map[string]string{"http": b.Proxy.HTTP, "https": b.Proxy.HTTPS, "no": b.Proxy.No} {
		if value != "" {
			s.Proxy[name] = value
		}
	}
	if path := store.BuilderCA(o.Config); path != "" {
		ca, err := os.ReadFile(path) // #nosec G304 -- the chart's mount
		if err != nil {
			return s, fmt.Errorf("cannot read the certificates of supply.builder.caBundle: %w", err)
		}
		s.CA = string(ca)
	}
	if err := convert(b.Resources, &s.Resources); err != nil {
		return s, fmt.Errorf("cannot use supply.builder.resources: %w", err)
	}
	if len(b.Tolerations) > 0 {
		if err := convert(b.Tolerations, &s.Tolerations); err != nil {
			return s, fmt.Errorf("cannot use supply.builder.tolerations: %w", err)
		}
	}
	return s, nil
}

// convert goes from the values' types to Kubernetes' by their common JSON.
func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}

// recipe gives a target the builder image of the values.
func (r *reconciler) recipe(t build.Target) build.Target {
	if image := r.o.Config.Supply.Builder.Images[t.Recipe.Name]; image != "" {
		t.Recipe.Image = image
	}
	return t
}

// of is how a version of PF_RING is built.
func (r *reconciler) of(version string) (build.Settings, error) {
	b := r.o.Config.Supply.Builder
	s := r.settings
	var err error
	s.Source, err = build.NewSource(version, b.SourceURL, b.SourceSHA256)
	return s, err
}

// inputs is a digest of all that goes into a build: with the same, the same
// comes out.
func (r *reconciler) inputs(t build.Target, version string) string {
	s, err := r.of(version)
	t = r.recipe(t)
	text, jsonErr := json.Marshal([]any{
		r.o.Release, t.Kernel, t.Arch, t.Recipe.Name, t.Recipe.Image, build.Script(t.Recipe), s.Script, s.Source, s.CA, s.Proxy, s.Mirrors,
		s.HostHeaders, s.Resources, s.PullSecrets, s.NodeSelector, s.Tolerations, s.Timeout, fmt.Sprint(err),
	})
	if jsonErr != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:6])
}
