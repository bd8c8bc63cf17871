package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/ignore"
	"helm.sh/helm/v3/pkg/registry"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/hack/internal/archive"
)

// packed is the chart as an archive.
type packed struct {
	data []byte
	meta *chart.Metadata
}

func pack(at time.Time) (*packed, error) {
	root, err := fs.Sub(charts.FS(), charts.Name)
	if err != nil {
		return nil, err
	}
	ignored, err := fs.ReadFile(root, ignore.HelmIgnore)
	if err != nil {
		return nil, err
	}
	rules, err := ignore.Parse(bytes.NewReader(ignored))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", ignore.HelmIgnore, err)
	}
	var files []archive.File
	err = fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil || rules.Ignore(path, info) {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files = append(files, archive.File{Name: charts.Name + "/" + path, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the chart: %w", err)
	}
	var out bytes.Buffer
	if err := archive.Write(&out, "chart.tgz", files, at); err != nil {
		return nil, err
	}
	loaded, err := loader.LoadArchive(bytes.NewReader(out.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("cannot read what was packed as Helm does: %w", err)
	}
	return &packed{out.Bytes(), loaded.Metadata}, loaded.Validate()
}

func (p *packed) fileName() string { return p.meta.Name + "-" + p.meta.Version + ".tgz" }

var releaseVersion = regexp.MustCompile(`^v\d+\.\d+\.\d+(-(alpha|beta|rc)[.\d]*)?$`)

// isOf compares the chart's versions with a release's tag. The chart is built
// into pfring too, so its version cannot be set while packing.
func (p *packed) isOf(release string) error {
	want := strings.TrimPrefix(release, "v")
	if releaseVersion.MatchString(release) && (p.meta.Version != want || p.meta.AppVersion != want) {
		return fmt.Errorf("the release is %s, and Chart.yaml says version %s and appVersion %s: set both, and the version in plugin.yaml, before the tag", release, p.meta.Version, p.meta.AppVersion)
	}
	return nil
}

// push puts the chart into a registry, with the logins of helm registry login
// or docker login, and its provenance if it has one.
func (p *packed) push(to string, plainHTTP bool, at time.Time, provenance []byte) (string, error) {
	options := []registry.ClientOption{registry.ClientOptWriter(&bytes.Buffer{})}
	if plainHTTP {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return "", fmt.Errorf("cannot prepare to push: %w", err)
	}
	ref := strings.TrimSuffix(strings.TrimPrefix(to, registry.OCIScheme+"://"), "/") + "/" + p.meta.Name + ":" + p.meta.Version
	with := []registry.PushOption{registry.PushOptCreationTime(at.Format(time.RFC3339))}
	if provenance != nil {
		with = append(with, registry.PushOptProvData(provenance))
	}
	result, err := client.Push(p.data, ref, with...)
	if err != nil {
		return "", fmt.Errorf("cannot push the chart to %s: %w", ref, err)
	}
	return registry.OCIScheme + "://" + result.Ref + "@" + result.Manifest.Digest, nil
}
