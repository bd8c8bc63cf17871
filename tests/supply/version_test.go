package supply_test

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

// listed are the versions of PF_RING in the published index, sorted by kernel.
func (b *bed) listed(t *testing.T) []string {
	t.Helper()
	cm, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).Get(t.Context(), b.names.Index, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	index, err := module.ParseIndex(cm.BinaryData[module.IndexName])
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(index.Modules, func(x, y module.Entry) int { return module.CompareVersions(x.KernelRelease, y.KernelRelease) })
	var versions []string
	for _, e := range index.Modules {
		versions = append(versions, e.Version)
	}
	return versions
}

// versioned builds a version, and holds the builds of kernels.
func versioned(version string, held ...string) func(*corev1.Pod, string) (string, kube.Result) {
	return func(pod *corev1.Pod, kernel string) (string, kube.Result) {
		if slices.Contains(held, kernel) {
			return "", kube.Result{Hold: true}
		}
		return printed(pod, moduletest.KO{Kernel: kernel, Version: version, Padding: 40 << 10}.Bytes()), kube.Result{}
	}
}

// Modules of another version are built beside those that are there; nodes that
// boot meanwhile get the old ones, and all change at once.
func TestAnotherVersionIsListedOnceAllKernelsHaveIt(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64", "6.1.0-20-amd64")
	b.config = "supply: {pfringVersion: 8.8.0, parallel: 3}"
	b.becomes(versioned("8.8.0"))
	account := b.account(t)
	stop := b.start(t, account)
	b.status(t, "all kernels to be built", fine(3))
	stop()
	b.config = "supply: {pfringVersion: 8.9.0, parallel: 3}"
	b.becomes(versioned("8.9.0", "6.1.0-20-amd64"))
	b.start(t, account)
	b.status(t, "two kernels to have the new version", func(s *supply.Status) bool {
		return count(s, supply.Built) == 2 && s.Find("6.1.0-20-amd64", "amd64").State == supply.Building
	})
	if got := b.listed(t); !slices.Equal(got, []string{"8.8.0", "8.8.0", "8.8.0"}) {
		t.Errorf("while one is missing, %q are listed", got)
	}
	b.becomes(versioned("8.9.0"))
	b.status(t, "all kernels to have the new version", fine(3))
	if got := b.listed(t); !slices.Equal(got, []string{"8.9.0", "8.9.0", "8.9.0"}) {
		t.Errorf("in the end %q are listed", got)
	}
	if b.built() != 6 {
		t.Errorf("%d builds", b.built())
	}
}

// A kernel of the values is built before a node has it, which then loads without
// a build of its own.
func TestAKernelOfTheValuesIsBuiltAhead(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	// No node has this kernel, so a build would go to any; those of other tests have logs of their own.
	b.config = "supply: {kernels: [6.1.0-44-amd64], builder: {nodeSelector: {bed: " + b.namespace + "}}}"
	b.start(t, b.account(t))
	s := b.status(t, "both kernels to be built", fine(2))
	if k := s.Find("6.1.0-44-amd64", "amd64"); k.Nodes != 0 || k.State != supply.Built {
		t.Errorf("%+v", k)
	}
	b.addNodes(t, "late", "6.1.0-44-amd64")
	b.loaded(t, 2)
	if b.built() != 2 {
		t.Errorf("%d builds", b.built())
	}
}

// With fullnameOverride all that the controller makes has that name, and agents
// find it there.
func TestWhatTheControllerMakesIsNamedByTheValues(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64")
	b.prefix, b.names = "ring", supply.NamesWith(release, "ring")
	b.start(t, b.account(t))
	b.status(t, "the kernel to be built", fine(1))
	b.loaded(t, 1)
	maps, err := cluster.Client.CoreV1().ConfigMaps(b.namespace).List(t.Context(), listOptions(b))
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := cluster.Client.CoreV1().Secrets(b.namespace).List(t.Context(), listOptions(b))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range maps.Items {
		names = append(names, maps.Items[i].Name)
	}
	for i := range secrets.Items {
		names = append(names, secrets.Items[i].Name)
	}
	if len(names) != 6 || slices.ContainsFunc(names, func(name string) bool { return !strings.HasPrefix(name, "ring-") }) {
		t.Errorf("it has made %q", names)
	}
}
