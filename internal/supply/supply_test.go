package supply

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestNamesAreValidForEveryReleaseName(t *testing.T) {
	seen := map[string]string{}
	for _, release := range []string{"pfring", "a", strings.Repeat("a", 53), strings.Repeat("b", 49), "1st", "with.dots", "a-b", "kubeshark-pfring"} {
		n := NamesOf(release)
		for _, name := range []string{n.Controller, n.Settings, n.Public, n.Status, n.Index, n.Key, n.CA, n.Lease, n.ModuleOf(strings.Repeat("f", 64))} {
			if errs := validation.IsDNS1123Subdomain(name); len(errs) > 0 {
				t.Errorf("%s: %v", name, errs)
			}
		}
		if errs := validation.IsDNS1035Label(n.Service); len(errs) > 0 {
			t.Errorf("%s: %v", n.Service, errs)
		}
		if other := seen[n.Service]; other != "" {
			t.Errorf("%s and %s share %s", release, other, n.Service)
		}
		seen[n.Service] = release
		for key, value := range n.Labels() {
			if errs := validation.IsValidLabelValue(value); len(errs) > 0 {
				t.Errorf("%s=%s: %v", key, value, errs)
			}
		}
	}
	if got := NamesOf("pfring").ServiceURL("kubeshark"); got != "https://pfring-pfring-supply.kubeshark.svc:8443" {
		t.Error(got)
	}
}

func TestSettingsAreReadStrictly(t *testing.T) {
	c, err := ParseConfig([]byte("supply: {kernels: [6.1.0-18-amd64], keep: 48h, builder: {images: {debian: x}}}\nsource: {url: ''}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if time.Duration(c.Supply.Keep) != 48*time.Hour || time.Duration(c.Supply.Timeout) != defaultTimeout || c.Supply.Parallel != defaultParallel || c.Supply.Store.Type != valuesschema.StoreConfigMaps || !c.Serves() {
		t.Errorf("%+v", c.Supply)
	}
	for text, says := range map[string]string{
		"supply: {kernel: x}":               "unknown field",
		"supply: {keep: 3x}":                "duration",
		"supply: {parallel: -1}":            "must be positive",
		"supply: {store: {type: etcd}}":     `invalid supply.store.type "etcd"`,
		"supply: {store: {type: url}}":      "requires supply.store.url",
		"- a list":                          "cannot read",
		"supply: {parallel: 1}\nsupply: {}": "already",
	} {
		if _, err := ParseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

type configMaps map[string]*corev1.ConfigMap

func (c configMaps) Get(_ context.Context, name string, _ metav1.GetOptions) (*corev1.ConfigMap, error) {
	if cm := c[name]; cm != nil {
		return cm, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
}

func TestTheStatusIsReadAsItIsWritten(t *testing.T) {
	written := Status{SchemaVersion: 1, Kernels: []KernelStatus{{Kernel: "6.1.0-18-amd64", Arch: "amd64", State: Building, Step: "compile"}}}
	text, err := json.Marshal(written)
	if err != nil {
		t.Fatal(err)
	}
	name := NamesOf("pfring").Status
	there := configMaps{name: {Data: map[string]string{StatusKey: string(text)}}}
	s, err := ReadStatus(t.Context(), there, NamesOf("pfring"))
	if err != nil || s.Find("6.1.0-18-amd64", "amd64").Step != "compile" || s.Find("6.1.0-18-amd64", "arm64") != nil {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := ReadStatus(t.Context(), configMaps{}, NamesOf("pfring")); !apierrors.IsNotFound(err) {
		t.Error(err)
	}
	if s, err := ReadStatus(t.Context(), configMaps{name: {}}, NamesOf("pfring")); s != nil || err != nil {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range []string{"", "{}", "[]", `{"schemaVersion":2}`} {
		if _, err := ParseStatus([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(`{"schemaVersion":1,"kernels":[{"kernel":"a","arch":"amd64","state":"built"}]}`)
	f.Fuzz(func(_ *testing.T, text string) {
		if s, err := ParseStatus([]byte(text)); err == nil {
			s.Find("a", "amd64")
		}
	})
}

func FuzzParseConfig(f *testing.F) {
	f.Add("supply: {kernels: [6.1.0-18-amd64], keep: 48h}")
	f.Fuzz(func(_ *testing.T, text string) {
		if c, err := ParseConfig([]byte(text)); err == nil {
			c.Serves()
		}
	})
}
