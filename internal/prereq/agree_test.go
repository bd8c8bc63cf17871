package prereq

import (
	"context"
	"testing"

	"k8s.io/client-go/rest"
	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/worldtest"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// seen is a snapshot of a world in which nothing has to be read any more.
func seen(w worldtest.World, mode string, k valuesschema.KernelModule) *env {
	values := valuesschema.Values{}
	values.Tap.KernelModule = k
	e := newEnv(Options{Config: &rest.Config{}, Namespace: "kubeshark", Release: "pfring", Targets: []Target{{Mode: mode, Values: values}}})
	nodes := make([]node, 0, len(w.Nodes))
	for _, n := range w.Nodes {
		in := map[string]bool{mode: !n.Excluded}
		n.Excluded = false
		nodes = append(nodes, node{Node: n, in: in})
	}
	preset(e, "nodes", nodes)
	preset(e, "supply status", w.Supply)
	return e
}

func preset[T any](e *env, key string, value T) {
	_, _ = fact(e, key, func() (T, error) { return value, nil })
}

// The checks of kernels come to what compatibility says of the same nodes.
func TestKernelChecksAgreeWithCompatibility(t *testing.T) {
	worldtest.Check(t, func(t *rapid.T) {
		w := worldtest.Worlds().Draw(t, "world")
		k := worldtest.Values(false, true)
		report := w.Compatibility(k)
		failed, good := map[string]bool{}, 0
		for _, n := range report.Nodes {
			if n.Supported == verdict.CannotBeBuilt {
				failed[n.Kernel+" "+n.Arch] = true
			}
			if n.Supported.Good() {
				good++
			}
		}
		e := seen(w, ModeAuto, k)
		switch f := supplyKernels(context.Background(), e); {
		case (f.Result == OK) != (len(failed) == 0), (f.Result == Warning) != (len(failed) > 0), f.Result == Warning && len(f.Details) != len(failed):
			t.Fatalf("supply.kernels: %+v\ncompatibility: %+v", f, report.Nodes)
		case f.Result != OK && f.Remedy == "":
			t.Fatalf("no remedy: %+v", f)
		}
		switch f := kernelsCovered(context.Background(), e); {
		case f.Result == Error && good > 0, f.Result == OK && len(failed) > 0:
			t.Fatalf("auto.kernels: %+v\ncompatibility: %+v", f, report.Nodes)
		}
	})
}

// In kmm, a kernel that the mappings serve is one that compatibility does not refuse.
func TestMappingChecksAgreeWithCompatibility(t *testing.T) {
	worldtest.Check(t, func(t *rapid.T) {
		w := worldtest.Worlds().Draw(t, "world")
		k := worldtest.Values(false, false)
		k.Mode = ModeKMM
		k.KernelMappings = []valuesschema.KernelMapping{{
			Regexp:         rapid.SampledFrom([]string{"^.+$", `^6\.`, "^none$"}).Draw(t, "regexp"),
			ContainerImage: "registry.example.com/pf-ring:${KERNEL_FULL_VERSION}",
		}}
		served := map[string]bool{}
		stalled := false
		for _, n := range w.Compatibility(k).Nodes {
			mapped := n.Mapping != "" && n.Reason != compatibility.ReasonModuleStalled
			served[n.Kernel+" "+n.Arch] = served[n.Kernel+" "+n.Arch] || mapped
			stalled = stalled || n.Reason == compatibility.ReasonModuleStalled
		}
		e := seen(w, ModeKMM, k)
		all, err := e.mapped(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if !stalled && (m.fault == "") != served[m.kernel.String()] {
				t.Fatalf("%+v, and compatibility says %v", m, served[m.kernel.String()])
			}
		}
		if f := mappedKernels(context.Background(), e); stalled && f.Result != Error {
			t.Fatalf("the whole Module is stalled: %+v", f)
		}
	})
}
