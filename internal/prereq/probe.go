package prereq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	batchv1client "k8s.io/client-go/kubernetes/typed/batch/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/probe"
)

// ProbeOptions ask for Jobs that look at nodes from the inside.
type ProbeOptions struct {
	// Timeout bounds all of them; 0 is 3 minutes.
	Timeout time.Duration
	// Image is used in place of the agent's; "" is the agent's.
	Image string
	// Registries are asked beside those of the Module's images.
	Registries []string
	// Progress is told how many groups of nodes are through; nil is none.
	Progress func(done, all int)
}

// Probe runs the probe alone, for callers that want its facts without the checks.
func Probe(ctx context.Context, o Options) (*probe.Report, error) {
	if o.Probe == nil {
		return nil, errors.New("--probe is not set")
	}
	return newEnv(o).probed(ctx)
}

// probed runs the Jobs, once.
func (e *env) probed(ctx context.Context) (*probe.Report, error) {
	return e.probeRun.get(func() (*probe.Report, error) {
		nodes, err := e.selectedNodes(ctx)
		if err != nil {
			return nil, err
		}
		clients, err := e.probeClients()
		if err != nil {
			return nil, err
		}
		// The source is asked in auto's environment, which has its settings.
		target := e.target(ModeAuto)
		if target == nil {
			target = &e.Targets[0]
		}
		ds, err := target.daemonSet()
		if err != nil {
			return nil, err
		}
		return probe.Run(ctx, probe.Options{
			Clients: clients, Namespace: e.Namespace, Release: e.Release, DaemonSet: ds, Image: e.Probe.Image,
			Nodes: e.probeNodes(nodes, target), Registries: e.registries(), Builds: e.buildTargets(nodes), WithoutSupply: !e.serving(ctx), Timeout: e.Probe.Timeout, Progress: e.Probe.Progress,
		})
	})
}

// serving tells whether the controller is there that serves what is built.
func (e *env) serving(ctx context.Context) bool {
	if !e.Options.supplied() {
		return false
	}
	status, err := e.supplyStatus(ctx)
	return err == nil && status != nil
}

func (e *env) probeClients() (c probe.Clients, err error) {
	core, err := e.client()
	if err != nil {
		return c, err
	}
	jobs, err := batchv1client.NewForConfig(e.Config)
	if err != nil {
		return c, fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	return probe.Clients{
		Jobs: jobs.Jobs(e.Namespace), Pods: core.core.Pods(e.Namespace), Events: core.core.Events(e.Namespace),
		ServiceAccounts: core.core.ServiceAccounts(e.Namespace),
	}, nil
}

// probeNodes leaves out those that can never take a module: nothing that a
// probe would see there changes that.
func (e *env) probeNodes(nodes []node, t *Target) []probe.Node {
	var list []probe.Node
	ds, err := t.daemonSet()
	if err != nil {
		return nil
	}
	for _, n := range nodes {
		if n.Platform.Describe().Policy == cluster.Never || n.Kernel == "" {
			continue
		}
		p := probe.Node{Name: n.Name, Kernel: n.Kernel, Arch: n.Arch, Zone: n.Zone, Ready: n.Ready, Cordoned: n.Cordoned}
		if taint := cluster.Untolerated(n.taints, ds.Spec.Template.Spec.Tolerations); taint != nil {
			p.Taint = taint.ToString()
		}
		list = append(list, p)
	}
	return list
}

// registries are those of the module images that KMM is to pull, without those
// whose name has a variable in it.
func (e *env) registries() []string {
	list := slices.Clone(e.Probe.Registries)
	t := e.target(ModeKMM)
	if t == nil {
		return list
	}
	add := func(image string) {
		if name := RegistryOf(image); name != "" && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	for _, m := range t.ofKind("Module") {
		container, _, _ := unstructured.NestedMap(m.Object, "spec", "moduleLoader", "container")
		image, _, _ := unstructured.NestedString(container, "containerImage")
		add(image)
		mappings, _, _ := unstructured.NestedSlice(container, "kernelMappings")
		for _, mapping := range mappings {
			if fields, is := mapping.(map[string]any); is {
				image, _, _ = unstructured.NestedString(fields, "containerImage")
				add(image)
				image, _, _ = unstructured.NestedString(fields, "sign", "unsignedImage")
				add(image)
			}
		}
	}
	return list
}

// RegistryOf is the registry of an image, "" if there is none to be reported. As
// usual, a first part without dot or colon is not a host.
func RegistryOf(image string) string {
	first, _, found := strings.Cut(image, "/")
	switch {
	case image == "" || strings.Contains(first, "$"):
		return ""
	case found && (first == "localhost" || strings.ContainsAny(first, ".:")):
		return first
	}
	return "docker.io"
}
