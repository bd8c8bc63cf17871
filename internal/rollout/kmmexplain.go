package rollout

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// words are an explanation and what to do.
type words struct{ message, remedy string }

// explainKMM lets KMM's own objects tell why nodes have no module or an old one,
// and corrects nodes on which KMM came after the agent had given up waiting.
func (c *Client) explainKMM(ctx context.Context, f *facts, r *Report) []string {
	k, err := c.readKMM(ctx, f)
	switch {
	case apierrors.IsNotFound(err):
		k.module, err = nil, nil
		r.Module = "the cluster does not know KMM's resources: KMM is not installed. See https://kmm.sigs.k8s.io/documentation/install/"
	case err == nil && k.module == nil:
		r.Module = "KMM's Module of this release is missing: it was deleted, or the API server rejected it. To create it again, upgrade the release."
	}
	if err != nil {
		return []string{"KMM's objects could not be read, so its reasons are missing: " + err.Error()}
	}
	if k.module == nil {
		return nil
	}
	if !r.Complete || k.module.DeletionTimestamp != nil || k.drifted(f, r) {
		c.readAround(ctx, k)
	}
	if k.module.DeletionTimestamp != nil {
		r.Module = "KMM's Module is being deleted since " + k.module.DeletionTimestamp.UTC().Format("2006-01-02T15:04:05Z") + k.waitsFor()
	}
	k.explain(f, r)
	r.Preflights = c.preflights(ctx, k.module)
	return k.rivals(r)
}

// rivals warns of other Modules that KMM has load pf_ring on nodes of this release:
// each unloads what the other one has loaded.
func (k *kmmFacts) rivals(r *Report) []string {
	on := map[string][]string{}
	for i := range r.Nodes {
		node := &r.Nodes[i]
		if !node.Wanted || k.nodes[node.Node] == nil {
			continue
		}
		for _, e := range k.nodes[node.Node].Spec.Modules {
			name := e.Namespace + "/" + e.Name
			if e.Config.Loads("pf_ring") && name != k.module.Namespace+"/"+k.module.Name {
				on[name] = append(on[name], node.Node)
			}
		}
	}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(on)) {
		slices.Sort(on[name])
		warnings = append(warnings, fmt.Sprintf("the Module %s loads pf_ring too, on %s: when one of the two is deleted or changed, KMM unloads PF_RING there. Keep one of them, or divide the nodes by their selectors",
			name, few(on[name], ", ")))
	}
	return warnings
}

// waitsFor says what the deletion of a Module waits for.
func (k *kmmFacts) waitsFor() string {
	var on, stuck []string
	for name := range k.nodes {
		if _, have := k.entries(name); have == nil {
			continue
		}
		on = append(on, name)
		if text := k.workerTroubles(name); text != "" {
			stuck = append(stuck, name+": "+text)
		}
	}
	slices.Sort(on)
	slices.Sort(stuck)
	switch {
	case k.around.down != "":
		return ", and nothing continues it: " + k.around.down + ". " + k.around.see
	case len(on) == 0:
		return ", and waits for KMM's controller to remove its finalizer: check that the controller runs"
	case len(stuck) > 0:
		return ", and waits until the module is unloaded. KMM cannot unload it on " + few(stuck, "; ")
	}
	return ", and waits until the module is unloaded on " + few(on, ", ")
}

// few joins a list, of which only the beginning is reported.
func few(list []string, separator string) string {
	const most = 5
	if len(list) > most {
		list = append(list[:most:most], fmt.Sprintf("%d more", len(list)-most))
	}
	return strings.Join(list, separator)
}

func (k *kmmFacts) explain(f *facts, r *Report) {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		t := f.targets[n.Node]
		switch {
		case !n.Wanted || n.State == Unknown || t == nil:
		case n.State == OK:
			if w := k.drift(t); w.message != "" {
				n.Outdated, n.Message, n.Remedy = true, "KMM: "+w.message, w.remedy
			}
		case n.State == Fallback && n.Reason == outcome.WaitTimeout && k.loaded(t):
			late(n, k.nodes[n.Node])
		default:
			if w := k.why(t); w.message != "" {
				n.Message, n.Remedy = "KMM: "+w.message, w.remedy
			}
		}
	}
	r.conclude()
}

// late: the agent's own outcome is from before.
func late(n *Node, nmc *kmmNode) {
	n.State, n.Backend, n.Reason, n.Verified = OK, outcome.PFRing, outcome.AlreadyLoaded, outcome.VerifiedKMM
	n.Message, n.Remedy, n.Source = "KMM loaded the module after the agent stopped waiting", "", "kmm"
	for _, e := range nmc.Status.Modules {
		if e.Version != "" {
			n.Version = e.Version
		}
	}
}

// loaded is true if KMM has loaded what it wants, in this boot. KMM's ready
// label alone proves nothing: it survives reboots and unloads.
func (k *kmmFacts) loaded(t *target) bool {
	want, have := k.entries(t.name)
	return want != nil && have != nil && have.BootID == t.bootID && kmm.Next(want.Config, have.Config, false) == kmm.None && k.worker(t.name) == nil
}

// drifted is true if a node that has the module has another than the Module
// asks for.
func (k *kmmFacts) drifted(f *facts, r *Report) bool {
	return slices.ContainsFunc(r.Nodes, func(n Node) bool {
		t := f.targets[n.Node]
		return n.State == OK && t != nil && k.drift(t).message != ""
	})
}

// why goes through the stages in KMM's own order and tells the first that is
// not passed. "" means that KMM says nothing.
func (k *kmmFacts) why(t *target) words {
	for _, stage := range []func(*target) words{
		k.deleting, k.selects, k.tolerates, k.maps, k.stalled, k.build, k.missingImage, k.pull, k.version, k.config, k.load, k.silence,
	} {
		if w := stage(t); w.message != "" {
			return w
		}
	}
	return words{}
}

func (k *kmmFacts) deleting(*target) words {
	if k.module.DeletionTimestamp == nil {
		return words{}
	}
	if k.around.down != "" {
		return words{"the Module is being deleted, and nothing continues it: " + k.around.down, k.around.see}
	}
	return words{"the Module is being deleted", "Wait until it is gone, then install or upgrade the release again."}
}

func (k *kmmFacts) selects(t *target) words {
	for key, want := range k.module.Spec.Selector {
		if have, ok := t.labels[key]; !ok || have != want {
			return words{
				fmt.Sprintf("the Module's selector requires the label %s=%s, and the node has %s", key, want, labelText(key, have, ok)),
				"Label the node, or set tap.kernelModule.kmm.selector.",
			}
		}
	}
	return words{}
}

func labelText(key, value string, has bool) string {
	if !has {
		return "none with that key"
	}
	return key + "=" + value
}

// tolerates goes by KMM's rule, to which a taint for the time of a condition is
// one like any other.
func (k *kmmFacts) tolerates(t *target) words {
	for _, have := range t.taints {
		one := corev1.Taint{Key: have.key, Value: have.value, Effect: corev1.TaintEffect(have.effect)}
		if slices.Contains(kmm.InternalTaints(), one.Key) && one.Effect == corev1.TaintEffectNoSchedule {
			continue
		}
		if !slices.ContainsFunc(k.module.Spec.Tolerations, func(o corev1.Toleration) bool { return o.ToleratesTaint(logr.Discard(), &one, false) }) {
			return words{"the Module does not tolerate the node's taint " + have.String(), "Tolerate it in tap.kernelModule.agent.tolerations (KMM 2.3 or newer), or remove the taint."}
		}
	}
	return words{}
}

func (k *kmmFacts) maps(t *target) words {
	if k.mapping(t.kernel) == nil {
		return words{"no kernel mapping matches the kernel " + t.kernel, "Add a mapping for it to tap.kernelModule.kernelMappings; `pfring plan` writes them."}
	}
	if text := kmm.Unserved(t.kernel); text != "" {
		return words{text, "Use mode auto for such nodes, and exclude them with tap.kernelModule.kmm.selector."}
	}
	return words{}
}

// stalled: another node's kernel makes KMM fail on the whole Module.
func (k *kmmFacts) stalled(*target) words {
	if k.stallingNode == "" {
		return words{}
	}
	return words{
		"KMM fails on the kernel release " + k.stalling + " of the node " + k.stallingNode + ", and then does nothing for the whole Module",
		"Leave " + k.stallingNode + " out with tap.kernelModule.kmm.selector, or make sure that no mapping matches its kernel release.",
	}
}
