// Package worldtest makes random clusters, with what a module repository, a registry
// and the supply controller have for their kernels, for tests that hold the answers
// of several commands against each other.
//
// It is imported by tests alone.
package worldtest

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/release"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// Repository is the source of the values that go with a world.
const Repository = "https://modules.example.com/pf-ring"

// World is a cluster, and what repository, registry and controller have.
type World struct {
	Nodes []cluster.Node
	// Has and Pushed tell by kernel and architecture. Refused is why nodes take
	// nothing from the repository, or "".
	Has, Pushed map[string]bool
	Refused     string
	// Supply is what the controller says; nil is nothing yet.
	Supply *supply.Status
}

// Worlds draws worlds.
func Worlds() *rapid.Generator[World] {
	kernels := []string{"6.1.0-18-amd64", "6.8.0-51-generic", "5.14.0-427.el9.x86_64", "6.6.87+", "99.1.0", "6.1", "6.1.0 odd", ""}
	systems := []string{"Debian GNU/Linux 12 (bookworm)", "Ubuntu 24.04.1 LTS", "Rocky Linux 9.4 (Blue Onyx)", "Buildroot 2021", ""}
	var platforms []cluster.Platform
	for _, info := range cluster.Platforms() {
		platforms = append(platforms, cluster.Generic, cluster.Generic, info.Platform)
	}
	archs := []string{"amd64", "amd64", "amd64", "arm64", "s390x"}
	return rapid.Custom(func(t *rapid.T) World {
		w := World{Has: map[string]bool{}, Pushed: map[string]bool{}, Refused: rapid.SampledFrom([]string{"", "", string(outcome.SourceUnsigned)}).Draw(t, "refused")}
		if rapid.Bool().Draw(t, "controller") {
			w.Supply = &supply.Status{SchemaVersion: 1}
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "nodes") {
			n := cluster.Node{
				Name: fmt.Sprintf("n%d", i), OS: "linux", Ready: true,
				Kernel: rapid.SampledFrom(kernels).Draw(t, "kernel"), Arch: rapid.SampledFrom(archs).Draw(t, "arch"),
				OSImage: rapid.SampledFrom(systems).Draw(t, "system"), Platform: rapid.SampledFrom(platforms).Draw(t, "platform"),
				Excluded: rapid.IntRange(0, 9).Draw(t, "excluded") == 0,
			}
			if n.Platform == cluster.Windows {
				n.OS = "windows"
			}
			w.Nodes = append(w.Nodes, n)
			w.Has[n.Kernel+n.Arch] = rapid.Bool().Draw(t, "has")
			w.Pushed[n.Kernel+n.Arch] = rapid.Bool().Draw(t, "pushed")
			w.addStatus(t, n)
		}
		return w
	})
}

// addStatus lets the controller say something of n's kernel.
func (w *World) addStatus(t *rapid.T, n cluster.Node) {
	if w.Supply == nil || n.Kernel == "" || w.Supply.Find(n.Kernel, n.Arch) != nil {
		return
	}
	k := supply.KernelStatus{Kernel: n.Kernel, Arch: n.Arch, OSImage: n.OSImage, Since: time.Unix(1, 0)}
	k.State = rapid.SampledFrom([]supply.State{"", supply.Queued, supply.Building, supply.Built, supply.Failed, supply.Unsupported, supply.Sourced, "blessed"}).Draw(t, "state")
	switch {
	case k.State == "":
		return // it has not looked at it yet
	case k.State == supply.Failed, k.State == supply.Queued && rapid.Bool().Draw(t, "again"):
		k.Reason, k.Message, k.Remedy = supply.CompileFailed, "gcc", "Read the log."
	case k.State == supply.Unsupported:
		k.Reason, k.Message, k.Remedy = supply.NoRecipe, "no recipe", "Set supply.builder.script."
	}
	w.Supply.Kernels = append(w.Supply.Kernels, k)
}

// Source is what the repository answers.
func (w World) Source(kernel, arch string) verdict.Answer {
	switch {
	case !w.Has[kernel+arch]:
		return verdict.Answer{Supported: verdict.No, Reason: string(outcome.NoModuleForKernel), Message: "None.", Remedy: verdict.BuildRemedy(kernel)}
	case w.Refused != "":
		return verdict.Answer{Supported: verdict.No, Present: true, Reason: w.Refused, Message: "Refused."}
	}
	return verdict.Answer{Supported: verdict.Yes, Present: true, Version: "8.9.0"}
}

// Image is what the registry answers.
func (w World) Image(kernel, arch string) verdict.Answer {
	if w.Pushed[kernel+arch] {
		return verdict.Answer{Supported: verdict.Yes, Present: true}
	}
	return verdict.Answer{Supported: verdict.No, Reason: compatibility.ReasonImageMissing, Message: "It is not in the registry."}
}

// Compatibility is what pfring compatibility says of values.
func (w World) Compatibility(k valuesschema.KernelModule) compatibility.Report {
	g := release.Gathered{Nodes: w.Nodes, Supply: verdict.Supply{Status: w.Supply}}
	switch {
	case k.Mode == "kmm":
		m := compatibility.Mappings{List: k.KernelMappings, ModuleName: "pfring-pf-ring", Namespace: "kubeshark"}
		mapped := m.Lookup(context.Background(), nil)
		g.Source = func(kernel, arch string) verdict.Answer {
			a := mapped(kernel, arch)
			if a.Reason != compatibility.ReasonImageNotChecked {
				return a
			}
			b := w.Image(kernel, arch)
			b.Mapping, b.Image = a.Mapping, a.Image
			return b
		}
	case k.Source.URL != "":
		g.Source = w.Source
	}
	return g.Report(k)
}

// Values are those of auto mode that take modules from Repository, from the supply
// controller, or from both.
func Values(source, supplied bool) valuesschema.KernelModule {
	var k valuesschema.KernelModule
	k.Mode, k.Supply.Enabled = "auto", &supplied
	k.Source.Verify = string(outcome.VerifiedChecksum)
	if source {
		k.Source.URL = Repository
	}
	return k
}

// Check runs a property in the same worlds each time, so that no test fails by
// chance.
func Check(t *testing.T, property func(*rapid.T)) {
	t.Helper()
	for _, seed := range []string{"1", "2"} {
		for name, value := range map[string]string{"rapid.seed": seed, "rapid.checks": "60", "rapid.nofailfile": "true"} {
			if err := flag.Set(name, value); err != nil {
				t.Fatal(err)
			}
		}
		rapid.Check(t, property)
	}
}
