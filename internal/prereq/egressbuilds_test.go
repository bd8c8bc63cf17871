package prereq

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestWhatBuildsFetchFollowsTheValues(t *testing.T) {
	recipe := func(system string) build.Recipe {
		r, err := build.RecipeFor(system)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	debian, ubuntu, sles := recipe("Debian GNU/Linux 12 (bookworm)"), recipe("Ubuntu 24.04 LTS"), recipe("SUSE Linux Enterprise Server 15 SP7")
	source := "https://github.com/ntop/PF_RING/"
	for name, c := range map[string]struct {
		builder valuesschema.Builder
		systems []build.Recipe
		want    []string
	}{
		"defaults":       {valuesschema.Builder{}, []build.Recipe{debian, ubuntu, debian}, []string{"http://archive.ubuntu.com/ubuntu/", "http://deb.debian.org/debian/", source}},
		"a mirror":       {valuesschema.Builder{PackageMirrors: map[string]string{"http://deb.debian.org/": "https://mirror.example/"}}, []build.Recipe{debian}, []string{source, "https://mirror.example/debian/"}},
		"a subscription": {valuesschema.Builder{}, []build.Recipe{sles}, []string{source}},
		"a script":       {valuesschema.Builder{Script: "make"}, []build.Recipe{debian}, []string{source}},
		"an archive":     {valuesschema.Builder{SourceURL: "https://mirror.example/pf.tar.gz", SourceSHA256: strings.Repeat("0", 64)}, []build.Recipe{debian}, []string{"http://deb.debian.org/debian/", "https://mirror.example/pf.tar.gz"}},
	} {
		got := buildTargets(valuesschema.Supply{Builder: c.builder}, c.systems, []string{build.DefaultVersion})
		if !slices.EqualFunc(got.URLs, c.want, func(a, b string) bool { return a == b || b == source && strings.HasPrefix(a, source) }) {
			t.Errorf("%s: %q, want %q", name, got.URLs, c.want)
		}
	}
}

func TestAHostThatBuildsCannotReachIsNamedWithTheValueThatHelps(t *testing.T) {
	const packages, archive = "http://deb.debian.org/debian/", "https://github.com/x/archive/y.tar.gz"
	target := func(address string, reason outcome.Reason) outcome.ProbeTarget {
		return outcome.ProbeTarget{Kind: outcome.TargetBuild, Target: address, OK: reason == "", Reason: reason, Message: "m"}
	}
	report := func(groups ...[]outcome.ProbeTarget) *probe.Report {
		r := &probe.Report{}
		for _, targets := range groups {
			r.Results = append(r.Results, probe.Result{Group: probe.Group{Nodes: 2}, Report: &outcome.Probe{Targets: targets}})
		}
		return r
	}
	private := valuesschema.Builder{CABundle: valuesschema.CABundle{ConfigMap: "ca"}}
	for name, c := range map[string]struct {
		builder valuesschema.Builder
		report  *probe.Report
		result  Result
		reason  string
		says    []string
	}{
		"all answer":          {valuesschema.Builder{}, report([]outcome.ProbeTarget{target(packages, ""), target(archive, "")}), OK, "", nil},
		"packages":            {valuesschema.Builder{}, report([]outcome.ProbeTarget{target(packages, outcome.SourceUnreachable), target(archive, "")}), Error, "source-unreachable", []string{"deb.debian.org", "packageMirrors"}},
		"archive":             {valuesschema.Builder{}, report([]outcome.ProbeTarget{target(packages, ""), target(archive, outcome.SourceTimeout)}), Error, "source-timeout", []string{"github.com", "sourceURL"}},
		"on some nodes":       {valuesschema.Builder{}, report([]outcome.ProbeTarget{target(packages, outcome.SourceUnreachable)}, []outcome.ProbeTarget{target(packages, "")}), Warning, "source-unreachable", []string{"on some nodes"}},
		"unknown authority":   {valuesschema.Builder{}, report([]outcome.ProbeTarget{target(archive, outcome.SourceTLSUntrusted)}), Error, "source-tls-untrusted", []string{"caBundle"}},
		"authority of values": {private, report([]outcome.ProbeTarget{target(archive, outcome.SourceTLSUntrusted)}), OK, "", nil},
		"an older agent":      {valuesschema.Builder{}, report([]outcome.ProbeTarget{}), Skipped, "", nil},
	} {
		f := judgeEgressOfBuilds(c.builder, c.report)
		if f.Result != c.result || f.Reason != c.reason {
			t.Errorf("%s: %+v", name, f)
		}
		for _, word := range c.says {
			if !strings.Contains(f.Observed+" "+f.Remedy, word) {
				t.Errorf("%s does not say %q: %s. %s", name, word, f.Observed, f.Remedy)
			}
		}
	}
}
