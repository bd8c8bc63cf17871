package valuesschema

import (
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// env follows the validation of a container's environment variables, which the chart
// adds to its own.
func (c *check) env(path Path) {
	seen := map[string]bool{}
	for i := range c.list(path) {
		at := path.With(i)
		fields := c.object(at)
		if fields == nil {
			continue // the schema says so
		}
		c.fields("pod-invalid", at, fields, reflect.TypeFor[corev1.EnvVar]())
		name := c.str(at.With("name"))
		switch {
		case name == "": // the schema requires it
		case len(validation.IsRelaxedEnvVarName(name)) > 0:
			c.errorf("pod-invalid", at.With("name"), "", "invalid name of a variable: must be printable ASCII without =")
		case len(validation.IsEnvVarName(name)) > 0:
			c.warnf("pod-invalid", at.With("name"), "use letters, digits, _, - and ., and begin with none of the digits", "Kubernetes before 1.32 refuses this name of a variable")
		case seen[name]:
			c.warnf("pod-invalid", at.With("name"), "remove one of them", "another variable has this name: server-side apply, and so Helm 4, refuses two")
		case strings.HasPrefix(name, "PFRING_"):
			c.warnf("pod-invalid", at.With("name"), "set the key of the values that it is made from", "variables of this prefix are the chart's: server-side apply, and so Helm 4, refuses two of one name")
		}
		seen[name] = true
		if _, given := fields["valueFrom"]; given && fields["valueFrom"] != nil {
			c.envSource(at)
		}
	}
}

// envFields are the fields of a pod that a variable can have.
var envFields = []string{
	"metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels['KEY']", "metadata.annotations['KEY']",
	"spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs",
}

// envResources are the resources of a container that a variable can have, beside
// those of huge pages.
var envResources = []string{
	"limits.cpu", "limits.memory", "limits.ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
}

// The divisors of a resource that the API server takes, as they are usually written.
var (
	cpuDivisors  = []string{"0", "1m", "1"}
	sizeDivisors = []string{"0", "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"}
)

// envSource checks where the value of the variable at a place comes from.
func (c *check) envSource(variable Path) {
	at := variable.With("valueFrom")
	if c.object(at) == nil {
		return
	}
	var sources []string
	for _, source := range []string{"configMapKeyRef", "fieldRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef"} {
		if c.object(at.With(source)) != nil {
			sources = append(sources, source)
		}
	}
	switch {
	case len(sources) == 0:
		c.errorf("pod-invalid", at, "", "must be one of fieldRef, resourceFieldRef, configMapKeyRef and secretKeyRef")
	case c.str(variable.With("value")) != "":
		c.errorf("pod-invalid", variable, "remove one of them", "a variable has either value or valueFrom")
	case len(sources) > 1:
		c.errorf("pod-invalid", at, "keep one of them", "a value comes from one place, this one from %s", strings.Join(sources, " and "))
	}
	for _, source := range sources {
		c.envSourceFields(source, at.With(source))
	}
}

func (c *check) envSourceFields(source string, at Path) {
	switch source {
	case "configMapKeyRef", "secretKeyRef":
		c.requires("pod-invalid", at, "name", source)
		c.requires("pod-invalid", at, "key", source)
		if key := c.str(at.With("key")); key != "" {
			if text := why(validation.IsConfigMapKey(key)); text != "" {
				c.errorf("pod-invalid", at.With("key"), "", "invalid key: %s", text)
			}
		}
	case "fieldRef":
		if path := c.str(at.With("fieldPath")); !slices.Contains(envFields, withoutKey(path)) {
			c.errorf("pod-invalid", at.With("fieldPath"), "", "must be one of %s", strings.Join(envFields, ", "))
		}
		if version := c.str(at.With("apiVersion")); version != "" && version != "v1" {
			c.errorf("pod-invalid", at.With("apiVersion"), "remove it", "must be v1")
		}
	case "resourceFieldRef":
		resource := c.str(at.With("resource"))
		if _, size, _ := strings.Cut(resource, "."); !slices.Contains(envResources, resource) && !strings.HasPrefix(size, "hugepages-") {
			c.errorf("pod-invalid", at.With("resource"), "", "must be one of %s", strings.Join(envResources, ", "))
			return
		}
		divisor, _ := lookup(c.values, at.With("divisor"))
		allowed := sizeDivisors
		if strings.HasSuffix(resource, ".cpu") {
			allowed = cpuDivisors
		}
		if divisor != nil && !slices.Contains(allowed, plainText(divisor)) {
			c.errorf("pod-invalid", at.With("divisor"), "", "must be one of %s", strings.Join(allowed, ", "))
		}
	}
}

// withoutKey has KEY for the key of a label or an annotation, if it can be one.
func withoutKey(fieldPath string) string {
	name, key, subscript := strings.Cut(fieldPath, "['")
	if !subscript || !strings.HasSuffix(key, "']") {
		return fieldPath
	}
	if key = strings.TrimSuffix(key, "']"); name == "metadata.annotations" {
		key = strings.ToLower(key)
	}
	if len(validation.IsQualifiedName(key)) > 0 {
		return fieldPath
	}
	return name + "['KEY']"
}
