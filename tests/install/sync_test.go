package install_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// synced is what Argo CD's engine did with an object.
type synced struct{ Kind, Name, Status, Message, Phase string }

// sync has Argo CD's own engine apply objects as an application of the namespace's name, which is known by the label that
// Argo CD before 3.0 writes. options are Prune, Replace and Force.
func (b *bed) sync(objects []object, options map[string]any) (results []synced) {
	b.t.Helper()
	program, err := toolbin.Argo()
	if err != nil {
		b.t.Fatal(err)
	}
	order := map[string]any{"Kubeconfig": shared.Kubeconfig, "Namespace": b.namespace, "Label": instanceLabel, "Application": b.namespace, "Objects": objects}
	maps.Copy(order, options)
	in, err := json.Marshal(order)
	if err != nil {
		b.t.Fatal(err)
	}
	cmd := exec.CommandContext(b.ctx, program, "sync")
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("argo sync %v: %v\n%s", options, err, stderr.String())
	}
	if err := json.Unmarshal(out, &results); err != nil {
		b.t.Fatal(err)
	}
	for _, r := range results {
		if r.Status != "Synced" && r.Status != "Pruned" && !strings.Contains(r.Message, "no prune") {
			b.t.Errorf("argo sync %v: %+v", options, r)
		}
	}
	return results
}

const instanceLabel = "app.kubernetes.io/instance"

// made is what the supply controller makes, which no manifest names: with its labels, and its annotations or none.
func (b *bed) made(name string, annotations map[string]string) {
	b.t.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations, Labels: map[string]string{
		instanceLabel: b.namespace, "app.kubernetes.io/component": "supply", "app.kubernetes.io/managed-by": "pfring-controller",
	}}}
	if _, err := shared.Client.CoreV1().ConfigMaps(b.namespace).Create(b.ctx, cm, metav1.CreateOptions{}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) has(configMap string) bool {
	b.t.Helper()
	_, err := shared.Client.CoreV1().ConfigMaps(b.namespace).Get(b.ctx, configMap, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		b.t.Fatal(err)
	}
	return err == nil
}

// Argo CD applies in the order of kinds, so that what a pod needs is there before it, and agents become ready. Applied or
// replaced a second time, they stay so; it prunes what it applied before, and nothing that the controller has made.
func TestArgoCDSynchronizes(t *testing.T) {
	for mode, initName := range modes {
		for name, options := range map[string]map[string]any{"apply": {}, "replace": {"Replace": true}} {
			t.Run(mode+" "+name, func(t *testing.T) {
				b := newBed(t, 1)
				b.sayAll(kube.Loaded())
				kernelModule := map[string]any{"metrics": map[string]any{"dashboard": map[string]any{"enabled": true}}}
				if mode == "auto" {
					kernelModule["source"] = map[string]any{"url": ""}
				}
				wanted := newHelm(b).render(b.values(mode, kernelModule))
				options := maps.Clone(options)
				options["Prune"] = true

				var kinds []string
				// To replace roles that do not exist yet fails in this engine: it reconciles them, and creates them then.
				for _, r := range b.sync(wanted, map[string]any{"Prune": true}) {
					if r.Phase != "Sync" {
						t.Errorf("%s %s is applied in phase %s", r.Kind, r.Name, r.Phase)
					}
					kinds = append(kinds, r.Kind)
				}
				if len(kinds) != len(wanted) {
					t.Errorf("%d objects are applied, want %d: %v", len(kinds), len(wanted), kinds)
				}
				for _, pod := range []string{"DaemonSet", "Deployment"} {
					at := slices.Index(kinds, pod)
					for _, before := range []string{"ServiceAccount", "Secret", "ConfigMap", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"} {
						if at >= 0 && slices.Index(kinds, before) > at {
							t.Errorf("%s comes after %s: %v", before, pod, kinds)
						}
					}
				}
				b.waitForPods("pfring", "the agent to be ready", 1, readyAfter(initName))

				b.made("module", map[string]string{"argocd.argoproj.io/sync-options": "Prune=false"})
				b.made("other", nil)
				first := b.versions(wanted)
				b.sync(wanted, options)
				for name, version := range b.versions(wanted) {
					if version != first[name] && options["Replace"] == nil {
						t.Errorf("%s has changed in the second round:\n%s\n%s", name, first[name], version)
					}
				}
				b.waitFor("another object with the application's label to be pruned", func() bool { return !b.has("other") })
				if !b.has("module") {
					t.Error("what the controller has made is pruned")
				}
				b.waitForPods("pfring", "the agent to be ready still", 1, readyAfter(initName))

				b.sync(slices.DeleteFunc(slices.Clone(wanted), func(o object) bool { return o["kind"] == "DaemonSet" }), options)
				b.waitForPods("pfring", "the pruned agent to go", 0, func(corev1.Pod) bool { return true })
			})
		}
	}
}
