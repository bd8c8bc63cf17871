// Package builds turns supply.builder of the values into how build Jobs are made:
// the controller makes them so, and prereq check tries such a one by a dry run.
//
// It reads no file and asks no cluster.
package builds

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

const (
	// keepJobs is how long a Job stays whose log nobody has read.
	keepJobs = 6 * time.Hour
	// maxModule bounds a module as it was built, in bytes. One has 1.6 MB with its
	// debug information; a controller that takes more than its memory from a log
	// would be killed by each new look at that log.
	maxModule = 16 << 20
)

// The label that build Jobs have beside those of supply.Names.
const (
	Label      = "kubeshark-pfring/supply"
	LabelValue = "build"
)

// Settings are how Jobs are made in a namespace, all but the source, which
// depends on the version, and the CA bundle, which is in a file.
func Settings(c *supply.Config, namespace string, names supply.Names) (build.Settings, error) {
	b := c.Supply.Builder
	s := build.Settings{
		Namespace: namespace, Script: b.Script, PullSecrets: b.PullSecrets, Proxy: map[string]string{},
		HostHeaders: b.HostHeaders, Timeout: time.Duration(c.Supply.Timeout), Mirrors: b.PackageMirrors,
		Labels: names.Labels(), NodeSelector: b.NodeSelector, Keep: keepJobs, MaxModule: maxModule,
	}
	s.Labels[Label] = LabelValue
	for name, value := range map[string]string{"http": b.Proxy.HTTP, "https": b.Proxy.HTTPS, "no": b.Proxy.No} {
		if value != "" {
			s.Proxy[name] = value
		}
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

// Source is what a version is built from.
func Source(c *supply.Config, version string) (build.Source, error) {
	b := c.Supply.Builder
	return build.NewSource(version, b.SourceURL, b.SourceSHA256)
}

// Target gives a target the builder image of the values.
func Target(c *supply.Config, t build.Target) build.Target {
	if image := c.Supply.Builder.Images[t.Recipe.Name]; image != "" {
		t.Recipe.Image = image
	}
	return t
}

// convert goes from the values' types to Kubernetes' by their common JSON.
func convert(from, to any) error {
	data, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, to)
}
