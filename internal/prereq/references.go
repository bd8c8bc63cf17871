package prereq

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

func referenceChecks() []Check {
	exists := []string{"namespace.exists"}
	return []Check{
		{
			ID: "references.pull-secrets", Title: "the pull secrets exist", Needs: exists,
			Why:  "Kubernetes ignores a missing pull secret; the pull then fails as if there were no login.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, pullSecrets) },
		},
		{
			ID: "references.service-accounts", Title: "the service accounts exist", Needs: exists,
			Why:  "Pods of a missing service account are refused.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, serviceAccounts) },
		},
		{
			ID: "references.source", Mode: ModeAuto, Title: "the objects that the source's settings name exist", Needs: exists,
			Why:  "A pod waits indefinitely for a Secret or ConfigMap that it mounts; one without the right key leaves the node on libpcap.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, sourceReferences) },
		},
		{
			ID: "references.volume", Mode: ModeAuto, Title: "the source's volume exists", Needs: exists,
			Why:  "The agent's pods wait indefinitely for a volume that does not exist.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, volumeReferences) },
		},
		{
			ID: "references.build", Mode: ModeKMM, Title: "the objects that KMM builds from exist", Needs: exists,
			Why:  "KMM's build waits for them, and no status reports it.",
			look: func(ctx context.Context, e *env) Finding { return e.refer(ctx, buildReferences) },
		},
		{
			ID: "references.sign", Mode: ModeKMM, Title: "the keys that KMM signs with exist", Needs: exists,
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
		return fail(reason, fmt.Sprintf("%d of %s in %s %s not what the values require", len(lines), text.CountOrNo(len(all), "object"), e.Namespace, verb(len(lines), "is", "are")),
			"Create or correct them, or correct the values; docs/checks.md lists the keys.", lines...)
	case len(denied) > 0:
		return skip("no right to read " + strings.Join(some(denied), ", ") + " in " + e.Namespace)
	}
	return ok(text.CountOrNo(len(all), "object") + " in " + e.Namespace)
}

func (r reference) String() string {
	return fmt.Sprintf("%s %s (%s)", r.kind, r.name, r.value)
}

// referred reads one object and judges it.
func (e *env) referred(ctx context.Context, r reference) (fault, error) {
	missing := fault{"reference-missing", "it does not exist"}
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
		return fault{"claim-unusable", "its access modes allow one node only, and there are " + text.CountOrNo(len(nodes), "node")}, nil
	}
	return fault{}, nil
}
