package prereq

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubeshark/kubeshark-pfring/module"
)

func referenceChecks() []Check {
	exists := []string{"namespace.exists"}
	return []Check{
		{
			ID: "references.pull-secrets", Title: "the pull secrets are there", Needs: exists,
			Why:  "Kubernetes ignores a pull secret that is missing; the pull then fails as if there were no login.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, pullSecrets) },
		},
		{
			ID: "references.service-accounts", Title: "the service accounts are there", Needs: exists,
			Why:  "Pods of a missing service account are refused.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, serviceAccounts) },
		},
		{
			ID: "references.source", Mode: ModeAuto, Title: "what the source's settings name is there", Needs: exists,
			Why:  "A pod waits for ever for a Secret or ConfigMap that it mounts; one without the right key leaves the node on libpcap.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, sourceReferences) },
		},
		{
			ID: "references.volume", Mode: ModeAuto, Title: "the source's volume is there", Needs: exists,
			Why:  "The agent's pods wait for ever for a volume that is not there.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, volumeReferences) },
		},
		{
			ID: "references.build", Mode: ModeKMM, Title: "what KMM builds from is there", Needs: exists,
			Why:  "KMM's build waits for it, and no status tells.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, buildReferences) },
		},
		{
			ID: "references.sign", Mode: ModeKMM, Title: "the keys that KMM signs with are there", Needs: exists,
			Why:  "KMM signs with the Secret's keys named key and cert, and waits for them.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, signReferences) },
		},
	}
}

// Kinds of what values name.
const (
	aSecret    = "Secret"
	aConfigMap = "ConfigMap"
	anAccount  = "ServiceAccount"
	aClaim     = "PersistentVolumeClaim"
)

// reference is an object that a value names, and what it must be.
type reference struct {
	// value is the key of the values, below tap.
	value, kind, name string
	// types of a Secret; any if none. keys must all be there.
	types, keys []string
	// older is a type that is taken as it is.
	older corev1.SecretType
	// look says what is wrong with the content, and never quotes it.
	look func(data map[string][]byte) string
}

// fault is what is wrong with a reference.
type fault struct{ reason, text string }

// refer looks at the references that the values of all targets have.
func (e *env) refer(ctx context.Context, list func(*Target) []reference) Finding {
	var all []reference
	for i := range e.Targets {
		for _, r := range list(&e.Targets[i]) {
			same := func(o reference) bool { return o.value == r.value && o.kind == r.kind && o.name == r.name }
			if r.name != "" && !slices.ContainsFunc(all, same) {
				all = append(all, r)
			}
		}
	}
	var lines, denied []string
	reason := ""
	for _, r := range all {
		f, err := e.referred(ctx, r)
		switch {
		case apierrors.IsForbidden(err):
			denied = append(denied, r.String())
		case err != nil:
			return unread(r.String(), err)
		case f.reason != "":
			if reason == "" {
				reason = f.reason
			}
			lines = append(lines, r.String()+": "+f.text)
		}
	}
	switch {
	case len(all) == 0:
		return ok("the values name none")
	case reason != "":
		return fail(reason, fmt.Sprintf("%d of %s in %s %s not as the values need", len(lines), number(len(all), "object"), e.Namespace, verb(len(lines), "is", "are")),
			"Make or correct them, or correct the values; docs/checks.md has the keys.", lines...)
	case len(denied) > 0:
		return skip("no right to read " + strings.Join(some(denied), ", ") + " in " + e.Namespace)
	}
	return ok(number(len(all), "object") + " in " + e.Namespace)
}

func (r reference) String() string {
	return fmt.Sprintf("%s %s (%s)", r.kind, r.name, r.value)
}

// referred reads one object and judges it.
func (e *env) referred(ctx context.Context, r reference) (fault, error) {
	missing := fault{"reference-missing", "it is not there"}
	switch r.kind {
	case anAccount, aClaim:
		f, err := e.present(ctx, r)
		if apierrors.IsNotFound(err) {
			return missing, nil
		}
		return f, err
	}
	data, kind, err := e.content(ctx, r.kind, r.name)
	if apierrors.IsNotFound(err) {
		return missing, nil
	}
	if err != nil {
		return fault{}, err
	}
	if r.older != "" && kind == string(r.older) {
		return fault{}, nil
	}
	if len(r.types) > 0 && !slices.Contains(r.types, kind) {
		return fault{"wrong-type", fmt.Sprintf("it is of type %s, not %s", kind, strings.Join(r.types, " or "))}, nil
	}
	for _, key := range r.keys {
		value, there := data[key]
		switch {
		case !there:
			return fault{"key-missing", fmt.Sprintf("it has no key %s, only %s", key, keysOf(data))}, nil
		case len(value) == 0:
			return fault{"content-invalid", "its key " + key + " is empty"}, nil
		}
	}
	if r.look != nil {
		if text := r.look(data); text != "" {
			return fault{"content-invalid", text}, nil
		}
	}
	return fault{}, nil
}

func keysOf(data map[string][]byte) string {
	var keys []string
	for key := range data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if len(keys) == 0 {
		return "none at all"
	}
	return strings.Join(some(keys), ", ")
}

// content is that of a Secret or ConfigMap, and a Secret's type.
func (e *env) content(ctx context.Context, kind, name string) (map[string][]byte, string, error) {
	type object struct {
		data map[string][]byte
		kind string
	}
	o, err := fact(e, kind+" "+name, func() (object, error) {
		c, err := e.client()
		if err != nil {
			return object{}, err
		}
		if kind == aSecret {
			s, err := c.core.Secrets(e.Namespace).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return object{}, err
			}
			return object{s.Data, string(s.Type)}, nil
		}
		m, err := c.core.ConfigMaps(e.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return object{}, err
		}
		data := map[string][]byte{}
		for key, text := range m.Data {
			data[key] = []byte(text)
		}
		for key, bytes := range m.BinaryData {
			data[key] = bytes
		}
		return object{data, ""}, nil
	})
	return o.data, o.kind, err
}

// present looks at a service account or a claim.
func (e *env) present(ctx context.Context, r reference) (fault, error) {
	c, err := e.client()
	if err != nil {
		return fault{}, err
	}
	if r.kind == anAccount {
		_, err = c.core.ServiceAccounts(e.Namespace).Get(ctx, r.name, metav1.GetOptions{})
		return fault{}, err
	}
	claim, err := c.core.PersistentVolumeClaims(e.Namespace).Get(ctx, r.name, metav1.GetOptions{})
	if err != nil {
		return fault{}, err
	}
	nodes, err := e.selectedNodes(ctx)
	if err != nil {
		return fault{}, err
	}
	many := func(m corev1.PersistentVolumeAccessMode) bool {
		return m == corev1.ReadOnlyMany || m == corev1.ReadWriteMany
	}
	switch {
	case claim.Status.Phase == corev1.ClaimLost:
		return fault{"claim-unusable", "its volume is lost"}, nil
	case len(nodes) > 1 && !slices.ContainsFunc(claim.Spec.AccessModes, many):
		return fault{"claim-unusable", "its access modes allow one node only, and there are " + number(len(nodes), "node")}, nil
	}
	return fault{}, nil
}

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
	return "it has " + keysOf(data) + "; a source of this kind needs " + strings.Join(wanted, ", or ")
}

func noCertificate(data []byte, key string) string {
	for rest := data; ; {
		block, next := pem.Decode(rest)
		if block == nil {
			return "its key " + key + " holds no certificate in PEM"
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
