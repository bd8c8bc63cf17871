package rollout

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// words are an explanation and what to do.
type words struct{ message, remedy string }

// explainKMM lets KMM's own objects tell why nodes have no module, and corrects
// nodes on which KMM came after the agent had given up waiting.
func (c *Client) explainKMM(ctx context.Context, f *facts, r *Report) []string {
	k, err := c.readKMM(ctx, f)
	switch {
	case apierrors.IsNotFound(err):
		k.module, err = nil, nil
		r.Module = "the cluster does not know KMM's resources: KMM is not installed. See https://kmm.sigs.k8s.io/documentation/install/"
	case err == nil && k.module == nil:
		r.Module = "KMM's Module of this release is missing: somebody has deleted it, or the API server did not take it. Upgrade the release to have it again."
	case err == nil && k.module.DeletionTimestamp != nil:
		r.Module = "KMM's Module is being deleted since " + k.module.DeletionTimestamp.UTC().Format("2006-01-02T15:04:05Z") + k.held()
	}
	if err != nil {
		return []string{"KMM's side could not be read, so its reasons are missing: " + err.Error()}
	}
	if k.module != nil {
		k.explain(f, r)
	}
	return nil
}

// held says what the deletion of a Module waits for.
func (k *kmmFacts) held() string {
	var on []string
	for name, n := range k.nodes {
		if k.entry(n.Status.Modules) != nil {
			on = append(on, name)
		}
	}
	if len(on) == 0 {
		return ", and waits for KMM's controller to take its finalizer away: look whether the controller runs"
	}
	slices.Sort(on)
	if len(on) > 5 {
		on = append(on[:5], fmt.Sprintf("%d more", len(on)-5))
	}
	return ", and waits until the module is unloaded on " + strings.Join(on, ", ")
}

func (k *kmmFacts) explain(f *facts, r *Report) {
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if !n.Wanted || n.State == OK || n.State == Unknown {
			continue
		}
		t := f.targets[n.Node]
		if t != nil && n.State == Fallback && n.Reason == outcome.WaitTimeout && k.loaded(t) {
			late(n, k.nodes[n.Node])
			continue
		}
		if t == nil {
			continue
		}
		if w := k.why(t); w.message != "" {
			n.Message, n.Remedy = "KMM: "+w.message, w.remedy
		}
	}
	r.conclude()
}

// late: the agent's own outcome is from before.
func late(n *Node, nmc *kmmNode) {
	n.State, n.Backend, n.Reason, n.Verified = OK, outcome.PFRing, outcome.AlreadyLoaded, outcome.VerifiedKMM
	n.Message, n.Remedy, n.Source = "KMM loaded the module after the agent had given up waiting", "", "kmm"
	for _, e := range nmc.Status.Modules {
		n.Version = cmp.Or(e.Version, n.Version)
	}
}

func (k *kmmFacts) entry(list []kmmEntry) *kmmEntry {
	for i := range list {
		if list[i].Name == k.module.Name && list[i].Namespace == k.module.Namespace {
			return &list[i]
		}
	}
	return nil
}

// loaded is true if KMM has loaded what it wants, in this boot. KMM's ready
// label alone proves nothing: it survives reboots and unloads.
func (k *kmmFacts) loaded(t *target) bool {
	nmc := k.nodes[t.name]
	if nmc == nil {
		return false
	}
	want, have := k.entry(nmc.Spec.Modules), k.entry(nmc.Status.Modules)
	return want != nil && have != nil && have.BootID == t.bootID && reflect.DeepEqual(want.Config, have.Config) && k.worker(t.name) == nil
}

// why goes through the stages in KMM's own order and tells the first that is
// not passed. "" means that KMM says nothing.
func (k *kmmFacts) why(t *target) words {
	for _, stage := range []func(*target) words{
		k.deleting, k.selects, k.tolerates, k.maps, k.imageState, k.pull, k.build, k.version, k.config, k.load, k.silence,
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
	return words{"the Module is being deleted", "Wait until it is gone, then install or upgrade the release again."}
}

func (k *kmmFacts) selects(t *target) words {
	for key, want := range k.module.Spec.Selector {
		if have, ok := t.labels[key]; !ok || have != want {
			return words{
				fmt.Sprintf("the Module's selector wants the label %s=%s, and the node has %s", key, want, labelText(key, have, ok)),
				"Label the node, or set tap.kernelModule.kmm.selector.",
			}
		}
	}
	return words{}
}

func labelText(key, value string, has bool) string {
	if !has {
		return "none of that name"
	}
	return key + "=" + value
}

func (k *kmmFacts) tolerates(t *target) words {
	tolerations := slices.Clone(k.module.Spec.Tolerations)
	for _, key := range []string{corev1.TaintNodeDiskPressure, corev1.TaintNodeMemoryPressure, corev1.TaintNodePIDPressure} {
		tolerations = append(tolerations, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists})
	}
	if keeping := untolerated(t.taints, tolerations); keeping != "" {
		return words{"the Module does not tolerate the node's taint " + keeping, "Tolerate it in tap.kernelModule.agent.tolerations (KMM 2.3 or newer), or remove the taint."}
	}
	return words{}
}

func (k *kmmFacts) maps(t *target) words {
	if k.mapping(t.kernel) != nil {
		return words{}
	}
	return words{"no kernel mapping matches the kernel " + t.kernel, "Add a mapping for it to tap.kernelModule.kernelMappings; `pfring plan` writes them."}
}

// mapping is the first that matches, as KMM does it: without trailing plus
// signs, literals whole, regexps anywhere.
func (k *kmmFacts) mapping(kernel string) *kmmMapping {
	kernel = strings.TrimRight(kernel, "+")
	list := k.module.Spec.Loader.Container.Mappings
	for i, m := range list {
		if m.Literal != "" && m.Literal == kernel {
			return &list[i]
		}
		if m.Literal != "" || m.Regexp == "" {
			continue
		}
		if re, err := regexp.Compile(m.Regexp); err == nil && re.MatchString(kernel) {
			return &list[i]
		}
	}
	return nil
}

// built is true if KMM is to build or sign the image for a kernel.
func (k *kmmFacts) built(kernel string) bool {
	c := k.module.Spec.Loader.Container
	m := k.mapping(kernel)
	return c.Build != nil || c.Sign != nil || m != nil && (m.Build != nil || m.Sign != nil)
}

// image is what KMM wants to load for a kernel, "" before it has said.
func (k *kmmFacts) image(kernel string) string {
	if k.images == nil {
		return ""
	}
	for _, i := range k.images.Spec.Images {
		if i.Kernel == kernel {
			return i.Image
		}
	}
	return ""
}
