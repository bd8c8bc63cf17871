package supply_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// A release that is uninstalled leaves nothing in its namespace and nothing of the
// cluster. One of another name then works there, beside a third in the same
// namespace and for the same nodes: each has a key, builds and modules of its own.
func TestReleasesFollowAndAccompanyEachOther(t *testing.T) {
	t.Parallel()
	helm, err := toolbin.Tool(toolbin.Helm)
	if err != nil {
		t.Fatal(err)
	}
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	first := emptyBed(t, "", "6.1.0-18-amd64")
	h := helmIn{program: helm, chart: filepath.Join(root, "charts", "kubeshark-pfring"), namespace: first.namespace, dir: t.TempDir()}
	beds := map[string]*bed{}
	pods.set(first.namespace, func(pod *corev1.Pod, node *corev1.Node) kube.Result {
		if b := beds[pod.Labels["app.kubernetes.io/instance"]]; b != nil {
			return b.handle(pod, node)
		}
		return kube.Result{}
	})
	for _, name := range []string{release, "other", "third"} {
		b := first
		if name != release {
			b = &bed{namespace: first.namespace, logs: first.logs, serve: freePort(t), build: good, builds: map[string]int{}}
		}
		b.release, b.names = name, supply.NamesOf(name)
		b.deployment, b.daemonSet = b.names.Controller, name+"-pfring"
		b.config = "{}"
		beds[name] = b
	}
	first.daemonSet = "" // a name that ends so gets no second one

	h.run(t, "install", release)
	stop := first.start(t, h.account(release))
	first.status(t, "the kernel to be built", fine(1))
	first.loaded(t, 1)
	stop()
	h.run(t, "uninstall", release)
	h.nothingIsLeft(t)

	var before map[string]string
	for i, name := range []string{"other", "third"} {
		h.run(t, "install", name)
		beds[name].start(t, h.account(name))
		beds[name].status(t, "the kernel to be built", fine(1))
		first.loaded(t, i+1)
		if now := public(t, beds[name]); now[supply.PublicKeysKey] == before[supply.PublicKeysKey] {
			t.Error("two releases have one key")
		} else {
			before = now
		}
		if n := beds[name].built(); n != 1 {
			t.Errorf("%d builds of release %s", n, name)
		}
	}
	h.run(t, "uninstall", "third")
	beds["other"].status(t, "the release that stays to be as it was", fine(1))
	first.loaded(t, 1)
}

// helmIn runs a helm in a namespace.
type helmIn struct{ program, chart, namespace, dir string }

func (h helmIn) run(t *testing.T, verb, name string) {
	t.Helper()
	args := []string{verb, name, "-n", h.namespace}
	if verb == "install" {
		args = append(args, h.chart, "--set", "tap.kernelModule.agent.nodeSelector.bed="+h.namespace)
	} else {
		args = append(args, "--wait", "--timeout=2m")
	}
	cmd := exec.CommandContext(t.Context(), h.program, args...) // #nosec G204 -- a helm of ours
	cmd.Env = append(os.Environ(), "KUBECONFIG="+cluster.Kubeconfig, "HELM_CACHE_HOME="+h.dir, "HELM_CONFIG_HOME="+h.dir, "HELM_DATA_HOME="+h.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// account acts with the rights that the chart has given a release's controller.
func (h helmIn) account(name string) *rest.Config {
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate.UserName = "system:serviceaccount:" + h.namespace + ":" + supply.NamesOf(name).Controller
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:serviceaccounts:" + h.namespace, "system:authenticated"}
	return config
}

func (h helmIn) nothingIsLeft(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var left []string
	err := kube.Poll(ctx, "the namespace to be empty", func(ctx context.Context) (bool, error) {
		var err error
		left, err = cluster.Objects(ctx, h.namespace)
		return err == nil && len(left) == 0, err
	})
	if err != nil {
		t.Fatalf("%v: %v", err, left)
	}
	roles, rolesErr := cluster.Client.RbacV1().ClusterRoles().List(t.Context(), metav1.ListOptions{})
	bindings, bindingsErr := cluster.Client.RbacV1().ClusterRoleBindings().List(t.Context(), metav1.ListOptions{})
	if rolesErr != nil || bindingsErr != nil {
		t.Fatal(rolesErr, bindingsErr)
	}
	for i := range roles.Items {
		if strings.HasPrefix(roles.Items[i].Name, h.namespace+".") {
			t.Errorf("ClusterRole %s is left", roles.Items[i].Name)
		}
	}
	for i := range bindings.Items {
		if strings.HasPrefix(bindings.Items[i].Name, h.namespace+".") {
			t.Errorf("ClusterRoleBinding %s is left", bindings.Items[i].Name)
		}
	}
}
