package prereq

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/probe"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/builds"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// buildTargets is what builds for these nodes fetch by the values; none where the
// cluster builds nothing.
func (e *env) buildTargets(nodes []node) probe.Builds {
	if !e.Options.supplied() {
		return probe.Builds{}
	}
	k, _ := e.supplied()
	var systems []build.Recipe
	var versions []string
	for i := range nodes {
		if r, err := build.RecipeForNode(nodes[i].Node); err == nil {
			systems = append(systems, r)
			versions = append(versions, build.VersionFor(nodes[i].Kernel).Version)
		}
	}
	return buildTargets(k.Supply, systems, versions)
}

// buildTargets are the addresses of the recipes' packages, or of their mirrors, and
// of the source's archive. A script of one's own fetches what it likes.
func buildTargets(s valuesschema.Supply, systems []build.Recipe, versions []string) probe.Builds {
	b := s.Builder
	var list []string
	if b.Script == "" {
		for _, r := range systems {
			if address := mirrored(r.Packages, b.PackageMirrors); address != "" {
				list = append(list, address)
			}
		}
	}
	if s.PFRingVersion != "" {
		versions = []string{s.PFRingVersion}
	}
	for _, version := range versions {
		if source, err := builds.Source(&supply.Config{Supply: s}, version); err == nil && strings.Contains(source.URL, "://") {
			list = append(list, source.URL)
		}
	}
	slices.Sort(list)
	return probe.Builds{URLs: slices.Compact(list), ProxyHTTP: b.Proxy.HTTP, ProxyHTTPS: b.Proxy.HTTPS, ProxyNo: b.Proxy.No}
}

// mirrored is where a build finds the packages at an address: supply.builder.packageMirrors
// replaces the beginnings of addresses.
func mirrored(address string, mirrors map[string]string) string {
	for from, to := range mirrors {
		if rest, is := strings.CutPrefix(strings.TrimSuffix(address, "/"), strings.TrimSuffix(from, "/")); is && address != "" {
			return strings.TrimSuffix(to, "/") + rest + "/"
		}
	}
	return address
}

func egressOfBuilds(ctx context.Context, e *env) Finding {
	k, on := e.supplied()
	if !on {
		return skip(notSupplied)
	}
	r, err := e.probed(ctx)
	if err != nil {
		return skip("the probe did not run: " + plain(err))
	}
	return judgeEgressOfBuilds(k.Supply.Builder, r)
}

// judgeEgressOfBuilds names each host that cannot be reached, from how many nodes,
// and the value that helps.
func judgeEgressOfBuilds(b valuesschema.Builder, r *probe.Report) Finding {
	asked, all := 0, 0
	failed, first := map[string]int{}, map[string]outcome.ProbeTarget{}
	answered(r, func(g probe.Result, p outcome.Probe) {
		all += g.Nodes
		for _, t := range p.Targets {
			if t.Kind != outcome.TargetBuild {
				continue
			}
			asked++
			private := t.Reason == outcome.SourceTLSUntrusted && (b.CABundle.ConfigMap != "" || b.CABundle.Secret != "")
			if t.OK || private { // the build trusts what this pod does not
				continue
			}
			if failed[t.Target] += g.Nodes; first[t.Target].Reason == "" {
				first[t.Target] = t
			}
		}
	})
	if asked == 0 {
		return skip("the pods had nothing to check: the agent's image is older than this check, or builds fetch nothing that is known")
	}
	if len(failed) == 0 {
		return ok(fmt.Sprintf("according to probe pods on %s", text.CountOrNo(all, "node")))
	}
	var lines, remedies []string
	everywhere := false
	worst := outcome.Reason("")
	for _, target := range slices.Sorted(maps.Keys(failed)) {
		t := first[target]
		lines = append(lines, fmt.Sprintf("%s, from %d of %d nodes: %s [%s]", hostOf(target), failed[target], all, t.Message, t.Reason))
		remedies = append(remedies, buildRemedy(b, t))
		everywhere = everywhere || failed[target] == all
		if worst == "" {
			worst = t.Reason
		}
	}
	remedies = slices.Compact(remedies)
	observed := "builds cannot fetch from " + strings.Join(hostsOf(failed), ", ")
	if everywhere {
		return fail(string(worst), observed, strings.Join(remedies, " "), lines...)
	}
	return warn(string(worst), observed+" on some nodes", strings.Join(remedies, " "), lines...)
}

// buildRemedy is what to set for a target that failed.
func buildRemedy(b valuesschema.Builder, t outcome.ProbeTarget) string {
	proxy := "tap.kernelModule.supply.builder.proxy"
	if b.Proxy.HTTP+b.Proxy.HTTPS != "" {
		proxy = "a proxy that allows it (" + proxy + ")"
	}
	if t.Reason == outcome.SourceTLSUntrusted {
		return "Set tap.kernelModule.supply.builder.caBundle to the authority of " + hostOf(t.Target) + "."
	}
	if strings.HasSuffix(t.Target, "/") {
		return "Allow egress to " + hostOf(t.Target) + ", or set " + proxy + " or tap.kernelModule.supply.builder.packageMirrors."
	}
	return "Allow egress to " + hostOf(t.Target) + ", or set " + proxy + " or tap.kernelModule.supply.builder.sourceURL to a mirror of the archive."
}

func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return address
}

func hostsOf(failed map[string]int) []string {
	var hosts []string
	for _, target := range slices.Sorted(maps.Keys(failed)) {
		hosts = append(hosts, hostOf(target))
	}
	return slices.Compact(hosts)
}
