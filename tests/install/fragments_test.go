package install_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// fragments are values of tap.kernelModule.agent that go into a pod as they are. Whether
// one is good is for the API server to say, so no verdict stands here.
var fragments = map[string][]string{
	"tolerations": {
		`[{"operator":"Exists"}]`, `[{"operator":"Exists","effect":"NoExecute","tolerationSeconds":30}]`, `[{"key":"a","value":"b","effect":"NoSchedule"}]`,
		`[{"key":"example.com/a","operator":"Equal"}]`, `[{"key":"a","operator":"Gt","value":"5","effect":"NoSchedule"}]`, `[{"key":"a","operator":"Lt","value":"-5"}]`,
		`[{"key":"a","operator":"Gt","value":"five"}]`, `[{"key":"a","operator":"Lt","value":"05"}]`, `[{"operator":"Gt","value":"5"}]`,
		`[{"key":"a","operator":"Exists","value":"b"}]`, `[{"operator":"Equal","value":"b"}]`, `[{"key":"a","operator":"exists"}]`, `[{"key":"a","effect":"Never"}]`,
		`[{"key":"a","effect":"NoSchedule","tolerationSeconds":30,"operator":"Exists"}]`, `[{"key":"-a","operator":"Exists"}]`, `[{"key":"a/b/c","operator":"Exists"}]`,
		`[{"key":"a","value":"b c"}]`, `[{"key":"a","value":"-b"}]`, `[{"key":"a","tolerationSeconds":-1,"effect":"NoExecute","operator":"Exists"}]`, `[]`, `[{}]`,
		`[{"key":"A_b.c","operator":"Exists"}]`, `[{"key":"EXAMPLE.com/a","operator":"Exists"}]`,
	},
	"resources": {
		`{"requests":{"cpu":"10m","memory":"32Mi"},"limits":{"memory":"64Mi"}}`, `{"requests":{"memory":"64Mi"},"limits":{"memory":"32Mi"}}`, `{"limits":{"cpu":"1.5"}}`,
		`{"limits":{"cpu":"1e3m"}}`, `{"limits":{"memory":"64MB"}}`, `{"limits":{"memory":"64mi"}}`, `{"limits":{"memory":"1E"}}`, `{"limits":{"memory":"-1"}}`, `{"limits":{"cpu":"0.0001"}}`,
		`{"limits":{"memory":"1e2"}}`, `{"limits":{"memory":"+1Ki"}}`, `{"limits":{"gpu":"1"}}`, `{"limits":{"example.com/gpu":"1"}}`,
		`{"limits":{"example.com/gpu":"1.5"}}`, `{"requests":{"example.com/gpu":"1"}}`, `{"limits":{"hugepages-2Mi":"4Mi"}}`, `{"limits":{"hugepages-2Mi":"4Mi","memory":"1Gi"}}`,
		`{"limits":{"ephemeral-storage":"1Gi"}}`, `{"limits":{"pods":"1"}}`, `{}`,
	},
	"nodeSelector": {
		`{"a":"b"}`, `{"a":""}`, `{"example.com/a":"b"}`, `{"a":"b c"}`, `{"-a":"b"}`, `{"a/b/c":"d"}`, `{"a":"b-"}`, `{"Example.com/a":"b"}`,
		`{"a":"0123456789012345678901234567890123456789012345678901234567890123"}`, `{"a":"012345678901234567890123456789012345678901234567890123456789012"}`,
	},
	"podLabels": {
		`{"a":"b"}`, `{"a":""}`, `{"a":"b c"}`, `{"a b":"c"}`, `{"example.com/":"c"}`, `{"example.com/a":"c"}`, `{"/a":"c"}`, `{"a":"ä"}`, `{"a_.-b":"c_.-d"}`,
	},
	"podAnnotations": {
		`{"a":"b c ä"}`, `{"a b":"c"}`, `{"example.com/a":"{\"x\": 1}"}`, `{"Example.com/A":"c"}`, `{"-a":"c"}`,
	},
	"extraVolumes": {
		`[{"name":"v","emptyDir":{}}]`, `[{"name":"v","emptyDir":{"medium":"Memory","sizeLimit":"1Mi"}}]`, `[{"name":"v","emptyDir":{"sizeLimit":"one"}}]`, `[{"name":"v","emptyDir":{"size":"1Mi"}}]`,
		`[{"name":"V","emptyDir":{}}]`, `[{"emptyDir":{}}]`, `[{"name":"v","configMap":{"name":"c"}}]`, `[{"name":"v","configMap":{"name":"c","items":[{"key":"a","path":"../a"}]}}]`,
		`[{"name":"v","configMap":{"name":"c","defaultMode":420}}]`, `[{"name":"v","configMap":{"name":"c","defaultMode":5000}}]`, `[{"name":"v","secret":{"secretName":"s"}}]`, `[{"name":"v","secret":{"name":"s"}}]`,
		`[{"name":"v","hostPath":{"path":"/a"}}]`, `[{"name":"v","hostPath":{"path":"/a","type":"Dir"}}]`, `[{"name":"v","hostPath":{"path":"/a/../b"}}]`, `[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]`,
		`[{"name":"v","persistentVolumeClaim":{}}]`, `[{"name":"v","emptyDir":{},"hostPath":{"path":"/a"}}]`, `[{"name":"v","emptyDir":{}},{"name":"v","emptyDir":{}}]`, `[{"name":"v","nfs":{"server":"h","path":"a"}}]`,
		`[{"name":"v","csi":{"driver":"d.example.com"}}]`, `[{"name":"v","csi":{}}]`, `[{"name":"v","image":{"reference":"r/a:1"}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":600}}]}}]`,
	},
	"affinity": {
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In"}]}]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"Gt","values":["1","2"]}]}]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n"]}]}]}}}`,
		`{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"DoesNotExist","values":["b"]}]}]}}}`,
	},
}

// into puts a fragment into the DaemonSet where the chart has it.
func into(t *testing.T, set map[string]any, key string, fragment any) {
	t.Helper()
	pod := []string{"spec", "template"}
	var err error
	switch key {
	case "podLabels":
		for k, v := range fragment.(map[string]any) {
			err = unstructured.SetNestedField(set, v, append(pod, "metadata", "labels", k)...)
		}
	case "podAnnotations":
		err = unstructured.SetNestedField(set, fragment, append(pod, "metadata", "annotations")...)
	case "extraVolumes":
		err = unstructured.SetNestedField(set, fragment, append(pod, "spec", "volumes")...)
	case "resources":
		err = unstructured.SetNestedSlice(set, []any{map[string]any{"name": "a", "image": "r/a:1", "resources": fragment}}, append(pod, "spec", "containers")...)
	default:
		err = unstructured.SetNestedField(set, fragment, append(pod, "spec", key)...)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What validate says of a fragment of Kubernetes in the values is what the API server
// says of the pod that it goes into.
func TestFragmentsAreJudgedAsTheAPIServerDoes(t *testing.T) {
	t.Parallel()
	daemonSets := shared.Dynamic.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}).Namespace("default")
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for key, list := range fragments {
		for _, text := range list {
			values := filepath.Join(t.TempDir(), "values.yaml")
			if err := os.WriteFile(values, []byte(`{"tap":{"kernelModule":{"agent":{"`+key+`":`+text+`}}}}`), 0o600); err != nil {
				t.Fatal(err)
			}
			doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{values}, Defaults: defaults, ReleaseName: "pfring", Namespace: "kubeshark"})
			if err != nil {
				t.Fatal(err)
			}
			problems := doc.Validate()
			bad, doubtful := valuesschema.Count(problems)
			// What is below the chart's defaults stays, as in a rendered pod.
			fragment, _, err := unstructured.NestedFieldCopy(doc.Merged(), "tap", "kernelModule", "agent", key)
			if err != nil {
				t.Fatal(err)
			}
			set := map[string]any{
				"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "fragment"},
				"spec": map[string]any{
					"selector": map[string]any{"matchLabels": map[string]any{"app": "fragment"}},
					"template": map[string]any{
						"metadata": map[string]any{"labels": map[string]any{"app": "fragment"}},
						"spec":     map[string]any{"containers": []any{map[string]any{"name": "a", "image": "r/a:1"}}},
					},
				},
			}
			into(t, set, key, fragment)
			_, err = daemonSets.Create(t.Context(), &unstructured.Unstructured{Object: set}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationIgnore})
			// A warning is about what another server, or its settings, may judge otherwise.
			if (err != nil) != (bad > 0) && (err == nil || doubtful == 0) {
				t.Errorf("%s: %s\nvalidate: %v\nthe API server: %v", key, text, problems, err)
			}
		}
	}
}

// sources are values of tap.kernelModule.networkPolicy.from, for the API server to judge like fragments.
var sources = []string{
	`[]`, `[{}]`, `[{"podSelector":{}}]`, `[{"namespaceSelector":{"matchLabels":{"a":"b"}},"podSelector":{}}]`, `[{"ipBlock":{"cidr":"10.0.0.0/8"}}]`, `[{"ipBlock":{"cidr":"10.0.0.0"}}]`,
	`[{"ipBlock":{}}]`, `[{"ipBlock":{"cidr":"fd00::/8","except":["fd00:1::/32"]}}]`, `[{"ipBlock":{"cidr":"10.0.0.0/8","except":["11.0.0.0/16"]}}]`, `[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.0.0.0/8"]}}]`,
	`[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0"]}}]`, `[{"ipBlock":{"cidr":"10.0.0.0/8"},"podSelector":{}}]`, `[{"podSelector":{"matchLabels":{"a":"b c"}}}]`,
	`[{"podSelector":{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}}]`, `[{"podSelector":{"matchExpressions":[{"key":"a","operator":"In"}]}}]`,
	`[{"podSelector":{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}}]`, `[{"podSelector":{"matchExpressions":[{"key":"a","operator":"Exists","values":["1"]}]}}]`,
}

func TestSourcesOfTheNetworkPolicyAreJudgedAsTheAPIServerDoes(t *testing.T) {
	t.Parallel()
	policies := shared.Dynamic.Resource(schema.GroupVersionResource{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"}).Namespace("default")
	defaults, err := fs.ReadFile(charts.FS(), charts.Name+"/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range sources {
		values := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(values, []byte(`{"tap":{"kernelModule":{"networkPolicy":{"enabled":true,"from":`+text+`}}}}`), 0o600); err != nil {
			t.Fatal(err)
		}
		doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{values}, Defaults: defaults, ReleaseName: "pfring", Namespace: "kubeshark"})
		if err != nil {
			t.Fatal(err)
		}
		problems := doc.Validate()
		bad, _ := valuesschema.Count(problems)
		from, _, err := unstructured.NestedFieldCopy(doc.Merged(), "tap", "kernelModule", "networkPolicy", "from")
		if err != nil {
			t.Fatal(err)
		}
		_, err = policies.Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": map[string]any{"name": "fragment"},
			"spec": map[string]any{"podSelector": map[string]any{}, "ingress": []any{map[string]any{"from": from}}},
		}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if (err != nil) != (bad > 0) {
			t.Errorf("%s\nvalidate: %v\nthe API server: %v", text, problems, err)
		}
	}
}
