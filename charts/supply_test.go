package charts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	appsv1 "k8s.io/api/apps/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// as reads an object of the chart as a type of Kubernetes; it must be the only
// one of this kind and name.
func as[T any](t *testing.T, objects []object, kind, name string) T {
	t.Helper()
	var out T
	found := 0
	for _, o := range objects {
		if o["kind"] != kind || at(o, "metadata.name") != name {
			continue
		}
		found++
		data, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, &out); err != nil {
			t.Fatal(err)
		}
	}
	if found != 1 {
		t.Fatalf("%d objects of kind %s with the name %q", found, kind, name)
	}
	return out
}

// The controller is told its settings and given its rights by the chart: both
// must be what it reads and needs.
func TestTheChartsControllerIsTheOneOfTheCode(t *testing.T) {
	for name, values := range map[string]string{
		"default": "",
		"own key": "tap: {kernelModule: {supply: {signingKeySecret: own-key, store: {type: persistentVolumeClaim}}}}",
		"all":     readFile(t, "testdata/auto-supply.values.yaml"),
	} {
		t.Run(name, func(t *testing.T) {
			objects := parse(t, render(t, values))
			names := supply.NamesOf(defaultRelease.name)
			settings := as[struct {
				Data map[string]string
				Kind string `json:"kind"`
				Meta any    `json:"metadata"`
				API  string `json:"apiVersion"`
			}](t, objects, "ConfigMap", names.Settings)
			config, err := supply.ParseConfig([]byte(settings.Data["config.yaml"]))
			if err != nil {
				t.Fatal(err)
			}
			role := as[rbacv1.Role](t, objects, "Role", names.Controller)
			same(t, role.Rules, supply.RoleRules(supply.NamesOf(defaultRelease.name), "pfring-agent", config))
			everywhere := as[rbacv1.ClusterRole](t, objects, "ClusterRole", defaultRelease.namespace+"."+names.Controller)
			same(t, everywhere.Rules, supply.ClusterRules())
			as[object](t, objects, "Deployment", names.Controller)
			as[object](t, objects, "Service", names.Service)
		})
	}
}

// nameOverride and fullnameOverride name the controller's objects too, those that
// the chart makes and those that the controller makes; agents and rights follow, and
// two releases of a namespace share none.
func TestOverridesNameTheControllersObjects(t *testing.T) {
	taken := map[string]string{}
	for _, c := range []struct{ release, values, prefix string }{
		{"pfring", "", "pfring-pfring"}, {"other", "", "other-pfring"},
		{"pfring", "nameOverride: capture", "pfring-capture"}, {"other", "nameOverride: capture", "other-capture"},
		{"pfring", "fullnameOverride: ring", "ring"}, {"pfring", "fullnameOverride: 1st", "1st"},
		{"a23456789-123456789-123456789-123456789-123456789-123", "nameOverride: a-name-that-is-cut", "a23456789-123456789-123456789-123456789-123456789-123-a-name-th"},
	} {
		values := "tap: {kernelModule: {" + c.values + "}}"
		files, err := renderFiles(t, release{name: c.release, namespace: "kubeshark"}, values)
		if err != nil {
			t.Fatal(err)
		}
		objects := parse(t, manifests(files))
		var km valuesschema.Values
		if err := yaml.Unmarshal([]byte(values), &km); err != nil {
			t.Fatal(err)
		}
		prefix := supply.PrefixFor(c.release, km.Tap.KernelModule)
		names := supply.NamesWith(c.release, prefix)
		if prefix != c.prefix || names.Controller != prefix+"-controller" {
			t.Errorf("%s, %s: prefix %s, names %+v", c.release, c.values, prefix, names)
		}
		d := as[appsv1.Deployment](t, objects, "Deployment", names.Controller)
		args := d.Spec.Template.Spec.Containers[0].Args
		if slices.Contains(args, "--name-prefix="+prefix) != (c.values != "") || !slices.Contains(args, "--deployment="+names.Controller) {
			t.Errorf("the controller of %s, %s gets %q", c.release, c.values, args)
		}
		i := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "--daemonset=") })
		ds := as[appsv1.DaemonSet](t, objects, "DaemonSet", strings.TrimPrefix(args[i], "--daemonset="))
		role := as[rbacv1.Role](t, objects, "Role", names.Controller)
		same(t, role.Rules, supply.RoleRules(names, ds.Name, &supply.Config{}))
		as[object](t, objects, "Service", names.Service)
		as[object](t, objects, "ClusterRole", "kubeshark."+names.Controller)
		text, err := yaml.Marshal(ds.Spec.Template.Spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"name: " + names.Public + "\n", names.ServiceURL("kubeshark")} {
			if !strings.Contains(string(text), want) {
				t.Errorf("the agent of %s, %s lacks %s", c.release, c.values, want)
			}
		}
		for _, name := range []string{names.Controller, names.Service, names.Settings, names.Public, names.Status, names.Index, names.Key, names.CA, names.Lease, ds.Name} {
			by := c.release + " " + c.values
			if other := taken[name]; other != "" && other != by {
				t.Errorf("%s and %s share %s", by, other, name)
			}
			taken[name] = by
		}
	}
}

// What is in no namespace is shared by all releases of a cluster: its name tells
// namespace and release apart wherever one of them ends.
func TestNoTwoReleasesShareAnObjectOfTheCluster(t *testing.T) {
	taken := map[string]release{}
	for _, r := range []release{
		{name: "c", namespace: "a-b"}, {name: "b-c", namespace: "a"}, {name: "b.c", namespace: "a"}, {name: "a-b-c", namespace: "c"},
		{name: "pfring", namespace: "a"}, {name: "pfring-pfring", namespace: "a"}, {name: "pfring", namespace: "a-pfring"},
		{name: strings.Repeat("n", 53), namespace: strings.Repeat("s", 63)},
	} {
		files, err := renderFiles(t, r, "")
		if err != nil {
			t.Fatal(err)
		}
		kinds := map[any]int{}
		for _, o := range parse(t, manifests(files)) {
			if at(o, "metadata.namespace") != nil {
				continue
			}
			kinds[o["kind"]]++
			name := at(o, "metadata.name").(string)
			if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
				t.Errorf("%v %s: %v", o["kind"], name, errs)
			}
			key := fmt.Sprint(o["kind"], " ", name)
			if other, found := taken[key]; found {
				t.Errorf("%v and %v share %s", other, r, key)
			}
			taken[key] = r
		}
		if kinds["ClusterRole"] != 1 || kinds["ClusterRoleBinding"] != 1 || len(kinds) != 2 {
			t.Errorf("%v has %v in no namespace", r, kinds)
		}
	}
}

func same(t *testing.T, got, want []rbacv1.PolicyRule) {
	t.Helper()
	a, err := yaml.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(a) != string(b) {
		t.Errorf("the chart grants\n%s\nthe controller needs\n%s", a, b)
	}
}

// The chart names the Service as the controller's certificate does.
func TestServiceNamesOfOddReleases(t *testing.T) {
	for _, name := range []string{"pfring", "1st", "a.b", "a23456789-123456789-123456789-123456789-123456789-123"} {
		files, err := renderFiles(t, release{name: name, namespace: "kubeshark"}, "")
		if err != nil {
			t.Fatal(err)
		}
		objects := parse(t, manifests(files))
		as[object](t, objects, "Service", supply.NamesOf(name).Service)
	}
}

// What the values take is what the builds have.
func TestTheValuesKnowTheBuildsRecipesAndVersions(t *testing.T) {
	var recipes []string
	for _, r := range build.Recipes() {
		recipes = append(recipes, r.Name)
	}
	slices.Sort(recipes)
	keys, err := valuesschema.Keys()
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, key := range keys {
		if name, is := strings.CutPrefix(key.Path, "tap.kernelModule.supply.builder.images."); is {
			known = append(known, name)
		}
	}
	slices.Sort(known)
	if recipes = slices.Compact(recipes); !slices.Equal(recipes, known) {
		t.Errorf("supply.builder.images takes %v, the recipes are %v", known, recipes)
	}
	if !slices.Equal(valuesschema.PFRingVersions(), build.Versions()) {
		t.Errorf("supply.pfringVersion takes %v, the builds know %v", valuesschema.PFRingVersions(), build.Versions())
	}
}

// With a repository, or in kmm mode, nothing of the controller is installed.
func TestThereIsNoControllerUnlessTheClusterSuppliesItself(t *testing.T) {
	for name, values := range map[string]string{
		"source":   "tap: {kernelModule: {source: {url: s3://bucket/x}}}",
		"historic": "tap: {kernelModule: {image: docker.io/x/y:all}}",
		"kmm":      kmmMode,
	} {
		for _, o := range parse(t, render(t, values)) {
			if o["kind"] == "Deployment" || o["kind"] == "ClusterRole" {
				t.Errorf("%s: there is a %v", name, o["kind"])
			}
		}
	}
}
