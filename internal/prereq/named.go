package prereq

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/module"
)

// What the values name, and what each of it has to hold.

func pullSecrets(t *Target) []reference {
	var list []reference
	k := t.Values.Tap.KernelModule
	if t.Mode == ModeKMM || strings.HasPrefix(k.Source.URL, "oci://") {
		list = append(list, pullSecret("kernelModule.imageRepoSecret", k.ImageRepoSecret))
	}
	for i, name := range t.Values.Tap.Docker.ImagePullSecrets {
		r := pullSecret(fmt.Sprintf("docker.imagePullSecrets[%d]", i), name)
		// The kubelet reads the older form too, KMM and the agent do not.
		if r.older = corev1.SecretTypeDockercfg; name != "" {
			list = append(list, r)
		}
	}
	return list
}

func pullSecret(value, name string) reference {
	const key = corev1.DockerConfigJsonKey
	return reference{
		value: value, kind: aSecret, name: name, types: []string{string(corev1.SecretTypeDockerConfigJson)}, keys: []string{key},
		look: func(data map[string][]byte) string {
			var config struct {
				Auths map[string]json.RawMessage `json:"auths"`
			}
			switch err := json.Unmarshal(data[key], &config); {
			case err != nil: // which may quote a password
				return "its key " + key + " is not JSON"
			case len(config.Auths) == 0:
				return "it has no login: auths is empty"
			}
			return ""
		},
	}
}

func serviceAccounts(t *Target) []reference {
	k := t.Values.Tap.KernelModule
	list := []reference{{value: "kernelModule.serviceAccount.name", kind: anAccount, name: k.ServiceAccount.Name}}
	if t.Mode == ModeKMM {
		list = append(list, reference{value: "kernelModule.kmm.serviceAccountName", kind: anAccount, name: k.KMM.ServiceAccountName})
	}
	return slices.DeleteFunc(list, func(r reference) bool {
		return slices.ContainsFunc(t.ofKind(anAccount), func(o *unstructured.Unstructured) bool { return o.GetName() == r.name })
	})
}

func sourceReferences(t *Target) []reference {
	if t.Mode != ModeAuto {
		return nil
	}
	s := t.Values.Tap.KernelModule.Source
	bundle := reference{value: "kernelModule.source.caBundle", kind: aConfigMap, name: s.CABundle.ConfigMap, keys: []string{s.CABundle.Key}}
	if s.CABundle.Secret != "" {
		bundle.kind, bundle.name = aSecret, s.CABundle.Secret
	}
	bundle.look = func(data map[string][]byte) string { return noCertificate(data[s.CABundle.Key], s.CABundle.Key) }
	return []reference{
		{value: "kernelModule.source.publicKeySecret", kind: aSecret, name: s.PublicKeySecret, look: noPublicKey},
		{value: "kernelModule.source.credentialsSecret", kind: aSecret, name: s.CredentialsSecret, look: func(data map[string][]byte) string {
			return noCredentials(data, s.URL)
		}},
		bundle,
	}
}

// noPublicKey is for a Secret whose every value is a public key for the agent.
func noPublicKey(data map[string][]byte) string {
	for _, text := range data {
		if _, err := module.ParsePublicKey(string(text)); err == nil {
			return ""
		}
	}
	return "none of its keys (" + keysOf(data) + ") holds a minisign public key"
}

// noCredentials wants one of the sets of keys that the agent reads.
func noCredentials(data map[string][]byte, url string) string {
	sets := [][]string{{"username", "password"}, {"token"}}
	if strings.HasPrefix(url, "s3://") {
		sets = [][]string{{"accessKeyID", "secretAccessKey"}}
	}
	var wanted []string
	for _, set := range sets {
		if !slices.ContainsFunc(set, func(key string) bool { return len(data[key]) == 0 }) {
			return ""
		}
		wanted = append(wanted, strings.Join(set, " and "))
	}
	return "it has " + keysOf(data) + "; a source of this kind requires " + strings.Join(wanted, ", or ")
}

func noCertificate(data []byte, key string) string {
	for rest := data; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			return "its key " + key + " does not contain a PEM certificate"
		}
		if _, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			return ""
		}
		rest = next
	}
}

func volumeReferences(t *Target) []reference {
	s := t.Values.Tap.KernelModule.Source
	if t.Mode != ModeAuto || !strings.HasPrefix(s.URL, "file://") {
		return nil
	}
	name := func(source, field string) string {
		m, _ := s.Volume[source].(map[string]any)
		text, _ := m[field].(string)
		return text
	}
	const value = "kernelModule.source.volume"
	return []reference{
		{value: value, kind: aClaim, name: name("persistentVolumeClaim", "claimName")},
		{value: value, kind: aConfigMap, name: name("configMap", "name")},
		{value: value, kind: aSecret, name: name("secret", "secretName")},
	}
}

func buildReferences(t *Target) []reference {
	if t.Mode != ModeKMM {
		return nil
	}
	var list []reference
	common := false
	for i, m := range t.Values.Tap.KernelModule.KernelMappings {
		if m.Build == nil {
			continue
		}
		if !common {
			common = true
			for _, secret := range t.Values.Tap.KernelModule.KMM.Build.Secrets {
				list = append(list, reference{value: "kernelModule.kmm.build.secrets", kind: aSecret, name: secret.Name})
			}
		}
		value := fmt.Sprintf("kernelModule.kernelMappings[%d].build.", i)
		list = append(list, reference{value: value + "dockerfileConfigMap", kind: aConfigMap, name: m.Build.DockerfileConfigMap.Name, keys: []string{"dockerfile"}})
		for _, secret := range m.Build.Secrets {
			list = append(list, reference{value: value + "secrets", kind: aSecret, name: secret.Name})
		}
	}
	return list
}

func signReferences(t *Target) []reference {
	if t.Mode != ModeKMM {
		return nil
	}
	var list []reference
	if s := t.Values.Tap.KernelModule.KMM.Sign; s.KeySecret != "" {
		list = append(list,
			reference{value: "kernelModule.kmm.sign.keySecret", kind: aSecret, name: s.KeySecret, keys: []string{"key"}},
			reference{value: "kernelModule.kmm.sign.certSecret", kind: aSecret, name: s.CertSecret, keys: []string{"cert"}})
	}
	for i, m := range t.Values.Tap.KernelModule.KernelMappings {
		if m.Sign == nil {
			continue
		}
		value := fmt.Sprintf("kernelModule.kernelMappings[%d].sign.", i)
		list = append(list,
			reference{value: value + "keySecret", kind: aSecret, name: m.Sign.KeySecret.Name, keys: []string{"key"}},
			reference{value: value + "certSecret", kind: aSecret, name: m.Sign.CertSecret.Name, keys: []string{"cert"}})
	}
	return list
}
