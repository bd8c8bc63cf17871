package supply_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/trust"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Modules in ConfigMaps go along when supply.store is changed, to each other kind of
// store and back. What was built elsewhere cannot be read any more afterwards, and
// is built again; nothing else is, and no index lists less than before.
func TestTheStoreIsChangedAndNothingIsBuiltTwice(t *testing.T) {
	t.Parallel()
	b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
	account := b.account(t)
	stop := b.start(t, account)
	b.status(t, "both kernels to be built", fine(2))
	b.loaded(t, 2)
	fewest := b.watchIndex(t)
	volume := func() {
		b.config, b.storeDir, b.reads, b.remote = "supply: {store: {type: persistentVolumeClaim}}", t.TempDir(), module.SourceOptions{}, store.Dirs{}
	}
	there := func(p *place) func() { return func() { b.at(t, p, p.login) } }
	configMaps := func() { b.config, b.reads, b.remote = "{}", module.SourceOptions{}, store.Dirs{} }
	moved := func(name string, change func(), kernels, builds int) {
		t.Helper()
		stop()
		change()
		stop = b.start(t, account)
		url := b.reads.URL
		if url == "" {
			url = b.names.ServiceURL(b.namespace)
		}
		s := b.status(t, "all kernels with modules in "+name, func(s *supply.Status) bool { return fine(kernels)(s) && s.Index.URL == url })
		for i := range 2 {
			node, err := cluster.Client.CoreV1().Nodes().Get(t.Context(), nodeName(b, "n", i), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if o := b.fetch(node); o.Backend != outcome.PFRing {
				t.Errorf("%s: an agent falls back: %s", name, o.Reason)
			}
		}
		if b.built() != builds || s.Index.Modules != kernels {
			t.Errorf("%s: %d builds, %d modules", name, b.built(), s.Index.Modules)
		}
	}
	moved("a volume", volume, 2, 2)
	moved("a bucket", there(bucket(t)), 2, 2)
	moved("ConfigMaps", configMaps, 2, 2)
	moved("a registry", there(oci(t)), 2, 2)
	if n := fewest(); n != 2 {
		t.Errorf("an index with %d modules was published", n)
	}
	b.addNodes(t, "late", "6.1.0-20-amd64")
	b.status(t, "the late kernel to be built", fine(3))
	noJobs(t, b) // in whose logs the module still is
	moved("ConfigMaps again", configMaps, 3, 4)
}

func nodeName(b *bed, prefix string, i int) string {
	return prefix + "-" + b.namespace + "-" + string(rune('0'+i))
}

// A release that is installed again, under another name, with the key and the store
// that the one before had: its modules are there, so nothing is built.
func TestAReleaseThatIsInstalledAgainFindsItsModules(t *testing.T) {
	t.Parallel()
	again := func(t *testing.T, at func(b *bed)) {
		b := newBed(t, "", "6.1.0-18-amd64", "6.1.0-19-amd64")
		key, err := trust.NewKey()
		if err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "own-key"}, Data: map[string][]byte{supply.SigningKeyKey: key}}
		if _, err := cluster.Client.CoreV1().Secrets(b.namespace).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		at(b)
		b.config = strings.Replace(b.config, "supply: {", "supply: {signingKeySecret: own-key, ", 1)
		stop := b.start(t, b.account(t))
		before := b.status(t, "both kernels to be built", fine(2))
		b.loaded(t, 2)
		stop()
		uninstalled(t, b)
		second := &bed{
			namespace: b.namespace, names: supply.NamesWith(release, "other-pfring"), prefix: "other-pfring", logs: b.logs, serve: b.serve, config: b.config,
			storeDir: b.storeDir, remote: b.remote, reads: b.reads, builds: map[string]int{}, build: good,
		}
		pods.set(b.namespace, second.handle)
		second.start(t, second.account(t))
		s := second.status(t, "both kernels to have their modules", fine(2))
		second.loaded(t, 2)
		if second.built() != 0 || s.Index.Modules != 2 || s.Index.Serial <= before.Index.Serial {
			t.Errorf("%d builds, %d modules, serial %d after %d", second.built(), s.Index.Modules, s.Index.Serial, before.Index.Serial)
		}
	}
	places(t, func(t *testing.T, p *place) { again(t, func(b *bed) { b.at(t, p, p.login) }) })
	t.Run("volume", func(t *testing.T) {
		again(t, func(b *bed) { b.config, b.storeDir = "supply: {store: {type: persistentVolumeClaim}}", t.TempDir() })
	})
}

// uninstalled removes what belongs to the controller's Deployment.
func uninstalled(t *testing.T, b *bed) {
	t.Helper()
	api := cluster.Client.CoreV1()
	maps, err := api.ConfigMaps(b.namespace).List(t.Context(), listOptions(b))
	if err != nil {
		t.Fatal(err)
	}
	for i := range maps.Items {
		if err := api.ConfigMaps(b.namespace).Delete(t.Context(), maps.Items[i].Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	secrets, err := api.Secrets(b.namespace).List(t.Context(), listOptions(b))
	if err != nil {
		t.Fatal(err)
	}
	for i := range secrets.Items {
		if err := api.Secrets(b.namespace).Delete(t.Context(), secrets.Items[i].Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(maps.Items) == 0 {
		t.Error("the release had no ConfigMaps")
	}
}
