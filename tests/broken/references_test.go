package broken_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// secret makes a Secret.
func secret(t *testing.T, where, name, kind string, data map[string]string) {
	t.Helper()
	encoded := object{}
	for key, text := range data {
		encoded[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	createObject(t, where, object{"apiVersion": "v1", "kind": "Secret", "type": kind, "data": encoded}, name)
}

func configMap(t *testing.T, where, name string, data object) {
	t.Helper()
	createObject(t, where, object{"apiVersion": "v1", "kind": "ConfigMap", "data": data}, name)
}

func createObject(t *testing.T, where string, o object, name string) {
	t.Helper()
	o["metadata"] = object{"name": name, "namespace": where}
	applyAll(t, []*unstructured.Unstructured{{Object: o}})
}

func TestWhatTheValuesNameMustBeThere(t *testing.T) {
	whole(t)
	where := shared.Namespace(t, "")
	ca, err := os.ReadFile(shared.CA.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	const dockerType = "kubernetes.io/dockerconfigjson"
	secret(t, where, "pull", dockerType, map[string]string{".dockerconfigjson": shared.images.dockerConfig(password)})
	secret(t, where, "pull-empty", dockerType, map[string]string{".dockerconfigjson": `{"auths":{}}`})
	secret(t, where, "opaque", "Opaque", map[string]string{"something": "else"})
	secret(t, where, "keys", "Opaque", map[string]string{"repository.pub": "untrusted comment: minisign\n" + shared.source.key})
	secret(t, where, "aws", "Opaque", map[string]string{"accessKeyID": "AKIA", "secretAccessKey": password})
	secret(t, where, "login", "Opaque", map[string]string{"username": "u", "password": password})
	secret(t, where, "sign-key", "Opaque", map[string]string{"key": "PRIVATE"})
	secret(t, where, "sign-cert", "Opaque", map[string]string{"cert": "CERT"})
	secret(t, where, "sign-cert-empty", "Opaque", map[string]string{"cert": ""})
	configMap(t, where, "ca", object{"ca.crt": string(ca), "empty": "no certificate"})
	configMap(t, where, "build", object{"dockerfile": "FROM scratch"})
	configMap(t, where, "build-wrong", object{"Dockerfile": "FROM scratch"})
	for name, mode := range map[string]string{"shared": "ReadOnlyMany", "single": "ReadWriteOnce"} {
		createObject(t, where, object{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": object{
			"accessModes": []any{mode}, "resources": object{"requests": object{"storage": "1Gi"}},
		}}, name)
	}
	source := func(values object) object { return object{"source": values} }
	volume := func(v object) object { return source(object{"url": "file:///modules", "volume": v}) }
	mapping := func(key string, values object) object {
		return object{"kernelMappings": []any{object{"regexp": "^.+$", "containerImage": shared.images.host + "/good:${KERNEL_FULL_VERSION}", key: values}}}
	}
	build := func(name string) object { return mapping("build", object{"dockerfileConfigMap": object{"name": name}}) }
	sign := func(key, cert string) object {
		return mapping("sign", object{"unsignedImage": shared.images.host + "/good:1", "keySecret": object{"name": key}, "certSecret": object{"name": cert}, "filesToSign": []any{"/opt/lib/modules/x/pf_ring.ko"}})
	}
	for _, c := range []struct {
		name, mode string
		values     object
		tap        object
		want       []string
	}{
		{"all of auto is right", "auto", source(object{"publicKeySecret": "keys", "credentialsSecret": "login", "caBundle": object{"configMap": "ca"}}), object{"docker": object{"imagePullSecrets": []any{"pull"}}}, nil},
		{"all of kmm is right", "kmm", object{"imageRepoSecret": "pull"}, nil, nil},
		{"pull secret missing", "kmm", object{"imageRepoSecret": "nothing"}, nil, []string{"references.pull-secrets error reference-missing"}},
		{"pull secret of the wrong type", "kmm", object{"imageRepoSecret": "opaque"}, nil, []string{"references.pull-secrets error wrong-type"}},
		{"pull secret without a login", "kmm", object{"imageRepoSecret": "pull-empty"}, nil, []string{"references.pull-secrets error content-invalid"}},
		{"the agent's pull secret missing", "auto", nil, object{"docker": object{"imagePullSecrets": []any{"nothing"}}}, []string{"references.pull-secrets error reference-missing"}},
		{"public keys missing", "auto", source(object{"publicKeySecret": "nothing"}), nil, []string{"references.source error reference-missing"}},
		{"public keys that are none", "auto", source(object{"publicKeySecret": "opaque"}), nil, []string{"references.source error content-invalid"}},
		{"credentials without the keys", "auto", source(object{"credentialsSecret": "opaque"}), nil, []string{"references.source error content-invalid"}},
		{"credentials of another kind of source", "auto", source(object{"credentialsSecret": "aws"}), nil, []string{"references.source error content-invalid"}},
		{"CA bundle missing", "auto", source(object{"caBundle": object{"secret": "nothing"}}), nil, []string{"references.source error reference-missing"}},
		{"CA bundle without the key", "auto", source(object{"caBundle": object{"configMap": "build"}}), nil, []string{"references.source error key-missing"}},
		{"CA bundle without a certificate", "auto", source(object{"caBundle": object{"configMap": "ca", "key": "empty"}}), nil, []string{"references.source error content-invalid"}},
		{"claim for many nodes", "auto", volume(object{"persistentVolumeClaim": object{"claimName": "shared"}}), nil, nil},
		{"claim for one node", "auto", volume(object{"persistentVolumeClaim": object{"claimName": "single"}}), nil, []string{"references.volume error claim-unusable"}},
		{"claim missing", "auto", volume(object{"persistentVolumeClaim": object{"claimName": "nothing"}}), nil, []string{"references.volume error reference-missing"}},
		{"ConfigMap of the volume missing", "auto", volume(object{"configMap": object{"name": "nothing"}}), nil, []string{"references.volume error reference-missing"}},
		{"Dockerfile there", "kmm", build("build"), nil, nil},
		{"Dockerfile under another key", "kmm", build("build-wrong"), nil, []string{"references.build error key-missing"}},
		{"Dockerfile missing", "kmm", build("nothing"), nil, []string{"references.build error reference-missing"}},
		{"signing keys there", "kmm", sign("sign-key", "sign-cert"), nil, nil},
		{"signing keys the wrong way round", "kmm", sign("sign-cert", "sign-key"), nil, []string{"references.sign error key-missing"}},
		{"signing certificate empty", "kmm", sign("sign-key", "sign-cert-empty"), nil, []string{"references.sign error content-invalid"}},
		{"service account missing", "auto", object{"serviceAccount": object{"create": false, "name": "nobody"}}, nil, []string{"references.service-accounts error reference-missing"}},
		{"KMM's service account missing", "kmm", object{"kmm": object{"serviceAccountName": "nobody"}}, nil, []string{"references.service-accounts error reference-missing"}},
		{"priority class missing", "auto", object{"agent": object{"priorityClassName": "none-such"}}, nil, []string{"namespace.admits-auto error priority-class-missing"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := attempt{mode: c.mode, namespace: where, kernelModule: c.values, tap: c.tap}.finds(t, c.want...)
			if text := fmt.Sprintf("%+v", report); strings.Contains(text, password) {
				t.Errorf("a secret is shown: %s", text)
			}
		})
	}
}
