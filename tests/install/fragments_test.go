package install_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/charts"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// fragments are values of tap.kernelModule.agent that go into a pod as they are; those
// of the controller and of builds are of the same kinds. Whether one is good is for the
// API server to say, so no verdict stands here.
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
		`[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":599}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":-1}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":4294967296}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":4294967297}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":"600"}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":600.5}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t"}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"/t"}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"../t"}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"..t"}}]}}]`, `[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t"}},{"serviceAccountToken":{"path":"t"}}]}}]`,
		`[{"name":"v","projected":{"defaultMode":512,"sources":[{"secret":{"name":"s"}}]}}]`, `[{"name":"v","projected":{"defaultMode":511,"sources":[{"secret":{"name":"s"}}]}}]`, `[{"name":"v","projected":{"sources":[{"secret":{}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"secret":{"name":"s"},"configMap":{"name":"c"}}]}}]`, `[{"name":"v","projected":{"sources":[{}]}}]`, `[{"name":"v","projected":{"sources":[]}}]`,
		`[{"name":"v","projected":{"sources":[{"secret":{"name":"s","items":[{"key":"a","path":"a"}]}},{"configMap":{"name":"c","items":[{"key":"b","path":"a"}]}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"configMap":{"name":"c","items":[{"key":"a","path":"/a"}]}}]}}]`, `[{"name":"v","projected":{"sources":[{"downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}}]}}]`,
		`[{"name":"v","projected":{"sources":[{"clusterTrustBundle":{"path":"ca.crt","name":"b"}}]}}]`, `[{"name":"v","projected":{"sources":[{"clusterTrustBundle":{"path":"ca.crt"}}]}}]`, `[{"name":"v","projected":{"sources":[{"clusterTrustBundle":{"name":"b"}}]}}]`,
		`[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"/a"}]}}]`, `[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"b/../a"}]}}]`, `[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"..a"}]}}]`,
		`[{"name":"v","secret":{"secretName":"s","items":[{"key":"a"}]}}]`, `[{"name":"v","secret":{"secretName":"s","items":[{"path":"a"}]}}]`, `[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"a","mode":512}]}}]`,
		`[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"b/a.."}]}}]`, `[{"name":"v","secret":{"secretName":"s","defaultMode":-1}}]`, `[{"name":"v","secret":{"secretName":"s","defaultMode":511}}]`, `[{"name":"v","secret":{"secretName":"s","defaultMode":512}}]`,
		`[{"name":"v","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels"}}]}}]`, `[{"name":"v","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"spec.nodeName"}}]}}]`, `[{"name":"v","downwardAPI":{"items":[{"path":"l"}]}}]`,
		`[{"name":"v","downwardAPI":{"items":[{"path":"/l","fieldRef":{"fieldPath":"metadata.name"}}]}}]`, `[{"name":"v","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.labels['a']"}}]}}]`, `[{"name":"v","downwardAPI":{"items":[]}}]`,
		`[{"name":"v","downwardAPI":{"items":[{"path":"l","fieldRef":{"fieldPath":"metadata.name['a']"}}]}}]`, `[{"name":"v","downwardAPI":{"defaultMode":512}}]`, `[{"name":"v","gitRepo":{"repository":"r","directory":"/a"}}]`, `[{"name":"v","gitRepo":{}}]`,
		`[{"name":"a.b","emptyDir":{}}]`, `[{"name":"-a","emptyDir":{}}]`, `[{"name":"0123456789012345678901234567890123456789012345678901234567890123","emptyDir":{}}]`, `[{"name":"v","ephemeral":{}}]`, `[{"name":"v","hostPath":{"path":"a"}}]`,
	},
	"extraVolumeMounts": {
		`[{"name":"v","mountPath":"/a"}]`, `[{"name":"x","mountPath":"/a"}]`, `[{"name":"v","mountPath":"/a"},{"name":"w","mountPath":"/a"}]`, `[{"name":"v","mountPath":"/a"},{"name":"v","mountPath":"/b"}]`, `[{"name":"v"}]`, `[{"mountPath":"/a"}]`,
		`[{"name":"v","mountPath":"/a","subPath":"b"}]`, `[{"name":"v","mountPath":"/a","subPath":"/b"}]`, `[{"name":"v","mountPath":"/a","subPath":"../b"}]`, `[{"name":"v","mountPath":"/a","subPath":"b/../../c"}]`, `[{"name":"v","mountPath":"/a","subPath":"..b"}]`,
		`[{"name":"v","mountPath":"/a","subPath":"b","subPathExpr":"$(B)"}]`, `[{"name":"v","mountPath":"/a","subPathExpr":"$(B)"}]`, `[{"name":"v","mountPath":"/a","subPathExpr":"/$(B)"}]`, `[{"name":"v","mountPath":"/a:b"}]`, `[{"name":"v","mountPath":"a"}]`,
		`[{"name":"v","mountPath":"/a","mountPropagation":"HostToContainer"}]`, `[{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}]`, `[{"name":"v","mountPath":"/a","mountPropagation":"Both"}]`, `[{"name":"v","mountPath":"/a/../b"}]`,
		`[{"name":"v","mountPath":"/a","readOnly":true,"recursiveReadOnly":"Enabled"}]`, `[{"name":"v","mountPath":"/a","recursiveReadOnly":"Enabled"}]`, `[{"name":"v","mountPath":"/a","readOnly":true,"recursiveReadOnly":"Yes"}]`, `[{"name":"v","mountPath":"/a","recursiveReadOnly":"Disabled"}]`,
		`[{"name":"v","mountPath":"/a","readOnly":true,"recursiveReadOnly":"IfPossible","mountPropagation":"HostToContainer"}]`, `[{"name":"v","mountPath":"/a","readOnly":"yes"}]`, `[]`,
	},
	"extraEnv": {
		`[{"name":"A","value":"x"}]`, `[{"name":"A"}]`, `[{"name":"A","value":1}]`, `[{"name":"A","value":true}]`, `[{"name":"A=B","value":"x"}]`, `[{"name":"1A","value":"x"}]`, `[{"name":"a.b-c","value":"x"}]`, `[{"name":"ä","value":"x"}]`,
		`[{"name":"A b","value":"x"}]`, `[{"name":"A","value":"x"},{"name":"A","value":"y"}]`, `[{"name":"A","value":"x","valueFrom":{"fieldRef":{"fieldPath":"status.hostIP"}}}]`, `[{"name":"A","value":"","valueFrom":{"fieldRef":{"fieldPath":"status.hostIP"}}}]`,
		`[{"name":"A","valueFrom":{}}]`, `[{"name":"A","valueFrom":null}]`, `[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"spec.nodeName"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"spec.nodename"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{}}}]`,
		`[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a']"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a b']"}}}]`,
		`[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.annotations['Example.com/A']"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"status.podIPs"}}}]`, `[{"name":"A","valueFrom":{"fieldRef":{"apiVersion":"v2","fieldPath":"status.podIP"}}}]`,
		`[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.name['a']"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.memory"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.pods"}}}]`,
		`[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"requests.hugepages-2Mi"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"hugepages-2Mi"}}}]`,
		`[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}]`, `[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s"}}}]`, `[{"name":"A","valueFrom":{"secretKeyRef":{"key":"k"}}}]`, `[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"a/b"}}}]`,
		`[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k","optional":true}}}]`, `[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k"},"secretKeyRef":{"name":"s","key":"k"}}}]`, `[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"c","key":"k","optional":"yes"}}}]`, `[]`,
		`[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"3Mi"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"1m"}}}]`, `[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"2"}}}]`,
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

// parts are the values with fragments below them, each with its kinds; nil has all.
var parts = map[string][]string{
	"agent":          nil,
	"supply":         {"tolerations", "resources", "nodeSelector", "affinity", "podLabels", "podAnnotations", "extraVolumes", "extraVolumeMounts", "extraEnv"},
	"supply.builder": {"tolerations", "resources", "nodeSelector"},
}

// mounted are the volumes for mounts.
var mounted = []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}, map[string]any{"name": "w", "emptyDir": map[string]any{}}}

// into puts a fragment into the DaemonSet where the chart has it.
func into(t *testing.T, set map[string]any, key string, fragment any) {
	t.Helper()
	pod := []string{"spec", "template"}
	container := map[string]any{"name": "a", "image": "r/a:1", "securityContext": map[string]any{"privileged": false}}
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
	case "extraVolumeMounts":
		container["volumeMounts"] = fragment
		err = unstructured.SetNestedSlice(set, mounted, append(pod, "spec", "volumes")...)
	case "extraEnv":
		container["env"] = fragment
	case "resources":
		container["resources"] = fragment
	default:
		err = unstructured.SetNestedField(set, fragment, append(pod, "spec", key)...)
	}
	if err == nil {
		err = unstructured.SetNestedSlice(set, []any{container}, append(pod, "spec", "containers")...)
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
	for part, kinds := range parts {
		for key, list := range fragments {
			if kinds != nil && !slices.Contains(kinds, key) {
				continue
			}
			for _, text := range list {
				problems, fragment := judged(t, defaults, strings.Split(part, "."), key, text)
				bad, doubtful := valuesschema.Count(problems)
				set := map[string]any{
					"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": map[string]any{"name": "fragment"},
					"spec": map[string]any{
						"selector": map[string]any{"matchLabels": map[string]any{"app": "fragment"}},
						"template": map[string]any{"metadata": map[string]any{"labels": map[string]any{"app": "fragment"}}, "spec": map[string]any{}},
					},
				}
				into(t, set, key, fragment)
				_, err = daemonSets.Create(t.Context(), &unstructured.Unstructured{Object: set}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationIgnore})
				// A warning is about what another server, or its settings, may judge otherwise.
				if (err != nil) != (bad > 0) && (err == nil || doubtful == 0) {
					t.Errorf("%s.%s: %s\nvalidate: %v\nthe API server: %v", part, key, text, problems, err)
				}
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

// judged is what validate says of a fragment at a place in the values, and the fragment
// as it goes into a pod: what is below the chart's defaults stays.
func judged(t *testing.T, defaults []byte, part []string, key, text string) ([]valuesschema.Problem, any) {
	t.Helper()
	var fragment any
	if err := json.Unmarshal([]byte(text), &fragment); err != nil {
		t.Fatal(err)
	}
	block := map[string]any{key: fragment}
	if key == "extraVolumeMounts" {
		block["extraVolumes"] = mounted
	}
	for _, name := range slices.Backward(append([]string{"tap", "kernelModule"}, part...)) {
		block = map[string]any{name: block}
	}
	data, err := json.Marshal(block)
	if err != nil {
		t.Fatal(err)
	}
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, data, 0o600); err != nil {
		t.Fatal(err)
	}
	doc, err := valuesschema.Load(valuesschema.LoadOptions{Files: []string{values}, Defaults: defaults, ReleaseName: "pfring", Namespace: "kubeshark"})
	if err != nil {
		t.Fatal(err)
	}
	fragment, _, err = unstructured.NestedFieldCopy(doc.Merged(), append(append([]string{"tap", "kernelModule"}, part...), key)...)
	if err != nil {
		t.Fatal(err)
	}
	return doc.Validate(), fragment
}
