package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/builds"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// Annotations of build Jobs.
const (
	tryAnnotation     = "kubeshark-pfring/try"
	inputsAnnotation  = "kubeshark-pfring/inputs"
	versionAnnotation = "kubeshark-pfring/version"
	imageAnnotation   = "kubeshark-pfring/os-image"
)

// settings are how Jobs are made, all but the source.
func settings(o Options, names supply.Names, owner *metav1.OwnerReference) (build.Settings, error) {
	s, err := builds.Settings(o.Config, o.Namespace, names)
	if err != nil {
		return s, err
	}
	s.Owner = owner
	if path := store.BuilderCA(o.Config); path != "" {
		ca, err := os.ReadFile(path) // #nosec G304 -- the chart's mount
		if err != nil {
			return s, fmt.Errorf("cannot read the certificates of supply.builder.caBundle: %w", err)
		}
		s.CA = string(ca)
	}
	return s, nil
}

// of is how a version of PF_RING is built.
func (r *reconciler) of(version string) (build.Settings, error) {
	s := r.settings
	var err error
	s.Source, err = builds.Source(r.o.Config, version)
	return s, err
}

// inputs is a digest of all that goes into a build: with the same, the same
// comes out.
func (r *reconciler) inputs(t build.Target, version string) string {
	s, err := r.of(version)
	t = builds.Target(r.o.Config, t)
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
