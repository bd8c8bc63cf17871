package rollout

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// drift says how what KMM last loaded on a node differs from what the Module asks
// for, and why it stays so; empty if it does not.
func (k *kmmFacts) drift(t *target) words {
	want, have := k.entries(t.name)
	if have == nil || k.module.DeletionTimestamp != nil {
		return words{}
	}
	if w := k.oldVersion(t, have); w.message != "" {
		return w
	}
	var wanted kmm.Config
	if want != nil {
		wanted = want.Config
	}
	switch kmm.Next(wanted, have.Config, have.BootID != t.bootID) {
	case kmm.Unload:
		if want == nil {
			return k.unloading(t, "PF_RING is loaded, and KMM no longer assigns it to this node")
		}
		return k.unloading(t, "an old configuration is loaded ("+strings.Join(differ("", want.Config, have.Config), ", ")+" changed)")
	case kmm.Load:
		return words{"KMM is about to load the module again" + k.workerTrouble(t), ""}
	case kmm.None:
		return k.oldImage(t, have)
	}
	return words{}
}

// oldImage: the Module asks for another image, and KMM has not come to hand it to
// the node.
func (k *kmmFacts) oldImage(t *target, have *kmmEntry) words {
	loaded, _ := have.Config["containerImage"].(string)
	wanted := k.wanted(t.kernel)
	if loaded == "" || wanted == "" || loaded == wanted {
		return words{}
	}
	for _, stage := range []func(*target) words{k.build, k.missingImage, k.pull} {
		if w := stage(t); w.message != "" {
			return words{"the old image " + loaded + " is loaded, and " + w.message, w.remedy}
		}
	}
	return k.explainHeld(workerKind, "the old image "+loaded+" is loaded, and KMM has not given the node "+wanted+" yet")
}

// oldVersion: a Module with a version waits for an administrator to label the
// node before it loads the new one.
func (k *kmmFacts) oldVersion(t *target, have *kmmEntry) words {
	want := k.module.Spec.Loader.Container.Version
	if want == "" || have.Version == want {
		return words{}
	}
	label := kmm.VersionLabel(k.module.Namespace, k.module.Name)
	if t.labels[label] == want {
		return k.unloading(t, fmt.Sprintf("version %s is loaded, and KMM will replace it with %s", have.Version, want))
	}
	return words{
		fmt.Sprintf("version %s is loaded, the Module has %s, and the node lacks the label %s=%s", have.Version, want, label, want),
		"Run: kubectl label node " + t.name + " --overwrite " + label + "=" + want,
	}
}

// unloading adds what happens to the unload.
func (k *kmmFacts) unloading(t *target, message string) words {
	text := k.workerTroubles(t.name)
	switch {
	case strings.Contains(text, "in use"):
		return words{
			message + ", and KMM cannot unload it: " + text,
			"Stop what uses PF_RING on the node, such as Kubeshark's worker there, or cordon, drain and reboot the node; KMM retries by itself.",
		}
	case text != "":
		return words{message + ", and KMM cannot unload it: " + text, "Look up the kernel's message in docs/reasons.md."}
	}
	w := k.explainHeld(workerKind, message)
	if k.worker(t.name) != nil {
		return words{message + "; KMM is about to unload it", ""}
	}
	return w
}

// workerTrouble is what a worker pod has trouble with, as an addition to a message.
func (k *kmmFacts) workerTrouble(t *target) string {
	if text := k.workerTroubles(t.name); text != "" {
		return ", and cannot: " + text
	}
	return ""
}

// differ are the paths at which two configurations differ.
func differ(path string, a, b map[string]any) []string {
	var list []string
	keys := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		inA, isA := a[key].(map[string]any)
		inB, isB := b[key].(map[string]any)
		switch {
		case isA && isB:
			list = append(list, differ(path+key+".", inA, inB)...)
		case !reflect.DeepEqual(a[key], b[key]):
			list = append(list, path+key)
		}
	}
	return list
}

// driftStays is true while a node has something else loaded than the Module asks
// for. Nothing of it shows in the agent's pods.
func (c *Client) driftStays(ctx context.Context, f *facts, r *Report) bool {
	if f.release.Mode != "kmm" || r.Summary.OK == 0 || f.targets == nil {
		return false
	}
	k, err := c.readKMM(ctx, f)
	if err != nil || k.module == nil || !k.drifted(f, r) {
		return false
	}
	// Labels and boot may be newer than the list of nodes.
	if targets, err := f.release.readTargets(ctx, c.core.Nodes()); err == nil {
		f.targets = targets
	}
	return k.drifted(f, r)
}
