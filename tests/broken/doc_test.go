// Package broken_test breaks clusters in every way that is known to happen, on
// a real control plane, and holds pfring prereq check to finding exactly that
// and nothing else: each case lists the findings that there must be, and every
// other check must be well or say that it was not looked at.
//
// cert-manager's resource definitions are its own, KMM's are stand-ins. Their
// webhooks are small TLS servers on loopback that decide as the real ones do.
// Registries and module repositories are real servers with TLS.
package broken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

type object = map[string]any

// setLabel is the node label by which each case has nodes of its own.
const setLabel = "pfring.test/set"

// The kernels of the usual nodes.
const (
	kernelA = "6.1.0-18-amd64"
	kernelB = "6.8.0-51-generic"
)

// shared is what all cases have in common. They run one after the other.
var shared struct {
	*kube.Cluster
	dir    string
	pfring string
	addons *addons
	images *registryServer
	source *sourceServer
}

func TestMain(m *testing.M) { os.Exit(kube.Main(m, prepare)) }

func prepare(ctx context.Context, cluster *kube.Cluster) (err error) {
	shared.Cluster = cluster
	if shared.dir, err = os.MkdirTemp(filepath.Dir(cluster.Kubeconfig), "broken-"); err != nil {
		return err
	}
	if shared.pfring, err = toolbin.Pfring(shared.dir); err != nil {
		return err
	}
	if _, err = cluster.RunKubelet(ctx, func(*corev1.Pod, *corev1.Node) kube.Result { return kube.Loaded() }); err != nil {
		return err
	}
	// The operators' pods have a node that no case touches.
	if _, err = cluster.AddNodes(ctx, 1, kube.Node{Prefix: "infra", Labels: map[string]string{"infra": "true"}}); err != nil {
		return err
	}
	usual := map[string]string{setLabel: "usual"}
	if _, err = cluster.AddNodes(ctx, 3, kube.Node{Prefix: "a", Labels: usual, Kernel: func(int) string { return kernelA }}); err != nil {
		return err
	}
	if _, err = cluster.AddNodes(ctx, 1, kube.Node{Prefix: "b", Labels: usual, Kernel: func(int) string { return kernelB }}); err != nil {
		return err
	}
	if shared.images, err = newRegistry(ctx); err != nil {
		return err
	}
	if shared.source, err = newSource(ctx); err != nil {
		return err
	}
	shared.addons, err = newAddons(ctx)
	return err
}

// attempt is one call of pfring prereq check.
type attempt struct {
	mode string
	// namespace, "" is a fresh one that enforces nothing.
	namespace string
	// set names the nodes that are selected; "" is the usual ones.
	set string
	// kernelModule and tap are laid over values with which all is well.
	kernelModule, tap object
	// kubeconfig, "" is an administrator's.
	kubeconfig string
	// args and env come on top.
	args, env []string
	// raw leaves the format of the output to args; else it is JSON.
	raw bool
}

// values are those of a healthy installation of the mode.
func (a attempt) values() object {
	set := a.set
	if set == "" {
		set = "usual"
	}
	km := object{"mode": a.mode}
	if a.mode == "kmm" {
		km["kernelMappings"] = []any{object{"regexp": "^.+$", "containerImage": shared.images.host + "/good:${KERNEL_FULL_VERSION}"}}
	} else {
		km["source"] = object{"url": shared.source.url + "/good", "publicKeys": []any{shared.source.key}}
	}
	merge(km, a.kernelModule)
	tap := object{
		"kernelModule": km,
		"nodeSelectorTerms": object{"workers": []any{object{"matchExpressions": []any{
			object{"key": setLabel, "operator": "In", "values": []any{set}},
		}}}},
	}
	merge(tap, a.tap)
	return object{"tap": tap}
}

// merge lays maps over maps, as Helm does.
func merge(into, over object) {
	for key, value := range over {
		if below, is := value.(object); is {
			if old, is := into[key].(object); is {
				old = maps.Clone(old)
				merge(old, below)
				into[key] = old
				continue
			}
		}
		into[key] = value
	}
}

// command is the call, not yet made.
func (a attempt) command(t testing.TB) *exec.Cmd {
	t.Helper()
	dir, err := os.MkdirTemp(shared.dir, "values-")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "values.yaml")
	text, err := yaml.Marshal(a.values())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	kubeconfig := a.kubeconfig
	if kubeconfig == "" {
		kubeconfig = shared.Kubeconfig
	}
	args := append([]string{"prereq", "check", "--kubeconfig", kubeconfig, "-n", a.namespace, "-f", file, "--ca-file", shared.CA.CertFile()}, a.args...)
	if !a.raw {
		args = append(args, "-o", "json")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, shared.pfring, args...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), isProxy), "DOCKER_CONFIG="+shared.dir)
	cmd.Env = append(cmd.Env, a.env...)
	return cmd
}

// outputOf runs the command and returns what it printed and its exit code.
func (a attempt) outputOf(t testing.TB) (stdout, stderr string, code int) {
	t.Helper()
	cmd := a.command(t)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

func isProxy(variable string) bool {
	name, _, _ := strings.Cut(strings.ToLower(variable), "=")
	return name == "http_proxy" || name == "https_proxy" || name == "no_proxy"
}

func (a attempt) report(t testing.TB) (*prereq.Report, int) {
	t.Helper()
	out, errOut, code := a.outputOf(t)
	report := &prereq.Report{}
	if err := json.Unmarshal([]byte(out), report); err != nil {
		t.Fatalf("exit %d, no report: %v\n%s%s", code, err, out, errOut)
	}
	return report, code
}

// findings are the errors and warnings of a report: "id result reason".
func findings(r *prereq.Report) []string {
	list := []string{}
	for _, f := range r.Findings {
		if f.Result == prereq.Error || f.Result == prereq.Warning {
			list = append(list, fmt.Sprintf("%s %s %s", f.ID, f.Result, f.Reason))
		}
	}
	slices.Sort(list)
	return list
}

// skips are the ids of checks that were not looked at, without those that only
// --probe makes.
func skips(r *prereq.Report) []string {
	var list []string
	for _, f := range r.Findings {
		if f.Result == prereq.Skipped && f.Category != "egress" {
			list = append(list, f.ID)
		}
	}
	return list
}

// settle is how long a change may take to reach all parts of the control plane.
const settle = 30 * time.Second

// finds runs the check until it finds exactly what is wanted, since the parts of
// a control plane learn of a change one after the other. What it found last, if
// that is something else, is the failure.
func (a attempt) finds(t *testing.T, want ...string) *prereq.Report {
	t.Helper()
	if a.namespace == "" {
		a.namespace = shared.Namespace(t, "")
	}
	slices.Sort(want)
	deadline := time.Now().Add(settle)
	for {
		report, code := a.report(t)
		got := findings(report)
		if slices.Equal(got, want) {
			a.holds(t, report, code)
			return report
		}
		if time.Now().After(deadline) {
			t.Errorf("found\n  %s\nwant\n  %s\n%s", strings.Join(got, "\n  "), strings.Join(want, "\n  "), words(report))
			return report
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// holds looks at what every report must have.
func (a attempt) holds(t *testing.T, r *prereq.Report, code int) {
	t.Helper()
	want := min(1, r.Errors)
	if r.Unreachable {
		want = 2
	}
	if code != want {
		t.Errorf("exit %d with %d errors", code, r.Errors)
	}
	for _, f := range r.Findings {
		if f.Category == "egress" && f.Result != prereq.Skipped {
			t.Errorf("%s is %s, and no node was asked", f.ID, f.Result)
		}
		if f.Result != prereq.Error && f.Result != prereq.Warning {
			continue
		}
		if f.Observed == "" || f.Why == "" || f.Remedy == "" || !strings.HasPrefix(f.Link, prereq.Docs+"#") {
			t.Errorf("%s does not say what was seen, why it matters, what to do and where to read on: %+v", f.ID, f)
		}
		if strings.Contains(f.Observed+f.Remedy, "%!") {
			t.Errorf("%s: %s %s", f.ID, f.Observed, f.Remedy)
		}
	}
}

// words are a report's findings as a person would read them.
func words(r *prereq.Report) string {
	var b bytes.Buffer
	p := prereq.Printer{W: &b, Short: true}
	for _, f := range r.Findings {
		if err := p.Finding(f); err != nil {
			return err.Error()
		}
	}
	return b.String()
}

// nodes makes nodes of a set of the case's own.
func nodes(t *testing.T, n int, template kube.Node) string {
	t.Helper()
	set := fmt.Sprintf("s%d", time.Now().UnixNano())
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[setLabel] = set
	addNodes(t, n, template, set)
	return set
}

func addNodes(t *testing.T, n int, template kube.Node, set string) []string {
	t.Helper()
	template.Prefix = set + template.Prefix
	template.Labels = maps.Clone(template.Labels)
	if template.Labels == nil {
		template.Labels = map[string]string{}
	}
	template.Labels[setLabel] = set
	return shared.TestNodes(t, n, template)
}

// changeNode changes a node's spec or labels.
func changeNode(t *testing.T, name string, change func(*corev1.Node)) {
	t.Helper()
	err := kube.Poll(t.Context(), "the change of "+name, func(ctx context.Context) (bool, error) {
		node, err := shared.Client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		before := node.DeepCopy()
		change(node)
		status := node.Status
		node, err = shared.Client.CoreV1().Nodes().Update(ctx, node, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return false, nil // somebody else changed it
		}
		if err != nil {
			return false, err
		}
		node.Status = status
		if before.Status.NodeInfo == status.NodeInfo && slices.Equal(before.Status.Conditions, status.Conditions) {
			return true, nil
		}
		_, err = shared.Client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{})
		return err == nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
