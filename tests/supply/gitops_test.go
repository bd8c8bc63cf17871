package supply_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/rollout"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// What Argo CD and Flux write onto the objects that they apply.
const (
	instanceLabel = "app.kubernetes.io/instance"
	fluxLabel     = "kustomize.toolkit.fluxcd.io/name"
)

// Whoever applies the same again and again finds no difference and takes nothing
// away, while the controller makes its Secrets and ConfigMaps beside it and a
// kernel comes in between.
func TestTwentyRoundsOfAGitOpsController(t *testing.T) {
	for name, marks := range map[string]map[string]string{
		// Argo CD before 3.0 tracks by this label, whose value is its application's name.
		"Argo CD": {instanceLabel: "capture"},
		"Flux":    {fluxLabel: "capture", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGitOps(t)
			g.rounds(t, marks, func() { g.apply(t, marks) })
			r, err := rollout.NewClient(cluster.Config)
			if err != nil {
				t.Fatal(err)
			}
			found, err := r.Find(t.Context(), g.namespace, release)
			if err != nil || found.Name != release {
				t.Fatalf("%+v %v", found, err)
			}
			if report, err := r.Status(t.Context(), found); err != nil || report.Summary.OK != 2 {
				t.Errorf("%+v %v", report, err)
			}
		})
	}
	for version, build := range map[string]func() (string, error){"Helm 3": func() (string, error) { return toolbin.Tool(toolbin.Helm) }, "Helm 4": toolbin.Helm4} {
		t.Run(version, func(t *testing.T) {
			program, err := build()
			if err != nil {
				t.Fatal(err)
			}
			g := newGitOps(t)
			env := append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "HELM_CACHE_HOME="+t.TempDir(), "HELM_CONFIG_HOME="+t.TempDir(), "HELM_DATA_HOME="+t.TempDir())
			g.rounds(t, nil, func() {
				cmd := exec.CommandContext(t.Context(), program, "upgrade", "--install", release, g.chart, "-n", g.namespace, "-f", g.values) // #nosec G204 -- a helm of ours
				cmd.Env = env
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		})
	}
}

// gitOps is the chart with all its defaults, as manifests.
type gitOps struct {
	*bed
	chart, values string
	manifests     []*unstructured.Unstructured
	mapper        meta.RESTMapper
}

func newGitOps(t *testing.T) *gitOps {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	pfring, err := toolbin.Pfring(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g := &gitOps{bed: emptyBed(t, "", "6.1.0-1-amd64"), chart: filepath.Join(root, "charts", "kubeshark-pfring"), values: filepath.Join(t.TempDir(), "values.yaml")}
	text := "tap: {kernelModule: {agent: {nodeSelector: {bed: " + g.namespace + "}}}}\n"
	if err := os.WriteFile(g.values, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	rendered, err := exec.CommandContext(t.Context(), pfring, "render", g.values, "-n", g.namespace, "--release-name", release).Output() // #nosec G204 -- our own
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range strings.Split(string(rendered), "\n---\n") {
		u := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(doc), &u.Object); err != nil {
			t.Fatal(err)
		}
		if len(u.Object) > 0 && u.GetAnnotations()["helm.sh/hook"] == "" {
			g.manifests = append(g.manifests, u)
		}
	}
	groups, err := restmapper.GetAPIGroupResources(cluster.Client.Discovery())
	if err != nil {
		t.Fatal(err)
	}
	g.mapper = restmapper.NewDiscoveryRESTMapper(groups)
	return g
}

// manifest is the only one of a kind and component.
func (g *gitOps) manifest(t *testing.T, kind, name string) *unstructured.Unstructured {
	t.Helper()
	i := slices.IndexFunc(g.manifests, func(u *unstructured.Unstructured) bool {
		return u.GetKind() == kind && (name == "" || u.GetName() == name)
	})
	if i < 0 {
		t.Fatalf("the chart has no %s %s", kind, name)
	}
	return g.manifests[i]
}

func (g *gitOps) resource(t *testing.T, u *unstructured.Unstructured) dynamic.ResourceInterface {
	t.Helper()
	kind := u.GroupVersionKind()
	mapping, err := g.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		t.Fatal(err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return cluster.Dynamic.Resource(mapping.Resource)
	}
	return cluster.Dynamic.Resource(mapping.Resource).Namespace(g.namespace)
}

// apply applies the manifests on the server's side, with marks as labels.
func (g *gitOps) apply(t *testing.T, marks map[string]string) {
	t.Helper()
	for _, manifest := range g.manifests {
		u := manifest.DeepCopy()
		labels := u.GetLabels()
		maps.Copy(labels, marks)
		u.SetLabels(labels)
		// Both force, so that what they overwrite is not told by a conflict.
		if _, err := g.resource(t, u).Apply(t.Context(), u.GetName(), u, metav1.ApplyOptions{FieldManager: "gitops", Force: true}); err != nil {
			t.Fatalf("applying %s %s: %v", u.GetKind(), u.GetName(), err)
		}
	}
}

// asAccount acts with the rights that the chart has given its controller.
func (g *gitOps) asAccount(t *testing.T) *rest.Config {
	t.Helper()
	account, _, _ := unstructured.NestedString(g.manifest(t, "Deployment", "").Object, "spec", "template", "spec", "serviceAccountName")
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + g.namespace + ":" + account
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + g.namespace, "system:authenticated"}
	return config
}

// rounds applies once, starts the controller, and applies twenty times more.
func (g *gitOps) rounds(t *testing.T, marks map[string]string, apply func()) {
	t.Helper()
	apply()
	g.deployment = g.manifest(t, "Deployment", "").GetName()
	g.config, _, _ = unstructured.NestedString(g.manifest(t, "ConfigMap", g.names.Settings).Object, "data", "config.yaml")
	g.start(t, g.asAccount(t))
	g.status(t, "the first kernel to be built", allOf(supply.Built, 1))
	g.loaded(t, 1)
	applied, made := g.applied(t), g.made(t)
	for round := range 20 {
		if round == 10 {
			g.addNodes(t, "late", "6.1.0-2-amd64")
		}
		apply()
		for object, text := range g.applied(t) {
			if text != applied[object] {
				t.Fatalf("round %d: %s has changed:\n%s\n%s", round, object, applied[object], text)
			}
		}
		g.prune(t, marks)
		now := g.made(t)
		for object, text := range made {
			if now[object] != text {
				t.Fatalf("round %d: %s of the controller is another:\n%s\n%s", round, object, text, now[object])
			}
		}
	}
	s := g.status(t, "both kernels to be built", allOf(supply.Built, 2))
	g.loaded(t, 2)
	if g.built() != 2 || s.Index.Modules != 2 || len(s.Problems) != 0 {
		t.Errorf("%d builds, %+v, %+v", g.built(), s.Index, s.Problems)
	}
}

// applied are the objects of the manifests as the cluster has them, without what
// the cluster itself keeps there. A Lease is there for the controllers to fill in.
func (g *gitOps) applied(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, manifest := range g.manifests {
		live, err := g.resource(t, manifest).Get(t.Context(), manifest.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		delete(live.Object, "status")
		if live.GetKind() == "Lease" {
			delete(live.Object, "spec")
		}
		live.SetManagedFields(nil)
		live.SetResourceVersion("")
		// Of the controllers of workloads.
		annotations := live.GetAnnotations()
		delete(annotations, "deployment.kubernetes.io/revision")
		live.SetAnnotations(annotations)
		text, err := json.Marshal(live.Object)
		if err != nil {
			t.Fatal(err)
		}
		out[live.GetKind()+" "+live.GetName()] = string(text)
	}
	return out
}

// made is what the controller has made that has to last: keys and modules.
func (g *gitOps) made(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, name := range []string{g.names.Key, g.names.CA} {
		s, err := cluster.Client.CoreV1().Secrets(g.namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		out["Secret "+name] = fmt.Sprint(s.UID, s.Data)
	}
	list, err := cluster.Client.CoreV1().ConfigMaps(g.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range list.Items {
		if strings.HasPrefix(cm.Name, release+"-pfring-module-") {
			out["ConfigMap "+cm.Name] = string(cm.UID)
		}
	}
	return out
}

// prune deletes what a GitOps tool takes for its own that is not in Git any more:
// what bears its label, has no owner and does not ask to be left alone.
func (g *gitOps) prune(t *testing.T, marks map[string]string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, m := range g.manifests {
		wanted[m.GetKind()+" "+m.GetName()] = true
	}
	for _, kind := range []string{"v1 Secret", "v1 ConfigMap", "v1 Service", "v1 ServiceAccount", "batch/v1 Job", "coordination.k8s.io/v1 Lease", "rbac.authorization.k8s.io/v1 Role", "networking.k8s.io/v1 NetworkPolicy"} {
		u := &unstructured.Unstructured{}
		version, name, _ := strings.Cut(kind, " ")
		u.SetAPIVersion(version)
		u.SetKind(name)
		list, err := g.resource(t, u).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Items {
			tracked := o.GetLabels()[instanceLabel] == release
			for key, value := range marks {
				tracked = tracked || o.GetLabels()[key] == value
			}
			kept := len(o.GetOwnerReferences()) > 0 || o.GetAnnotations()["argocd.argoproj.io/sync-options"] == "Prune=false"
			if !tracked || wanted[name+" "+o.GetName()] || kept {
				continue
			}
			t.Errorf("%s %s would be pruned", name, o.GetName())
			if err := g.resource(t, u).Delete(t.Context(), o.GetName(), metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
}
