package kmm

import (
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// Toleration is one of a Module, or of a pod.
type Toleration struct {
	Key, Operator, Value, Effect string
	// Seconds is true where tolerationSeconds is set.
	Seconds bool
}

// Fault says what the API server refuses in a pod's toleration, and KMM's
// webhook in a Module's: the field, and what it must be. "" is no fault. From
// internal/webhook/module.go, 2.3 to 2.7, which follows the API server's own
// rules.
func (t Toleration) Fault() (field, must string) {
	errs := func(list []string) string { return "must be: " + strings.Join(list, "; ") }
	if t.Key != "" {
		if list := validation.IsQualifiedName(t.Key); len(list) > 0 {
			return "key", errs(list)
		}
	}
	switch {
	case t.Key == "" && t.Operator != "Exists":
		return "operator", "must be Exists where there is no key"
	case t.Operator == "Exists" && t.Value != "":
		return "value", "must be empty where the operator is Exists"
	case t.Seconds && t.Effect != "NoExecute":
		return "tolerationSeconds", "must be left out unless the effect is NoExecute"
	}
	if t.Operator == "" || t.Operator == "Equal" {
		if list := validation.IsValidLabelValue(t.Value); len(list) > 0 {
			return "value", errs(list)
		}
	}
	return "", ""
}

// TakesOperator tells whether KMM's webhook takes a toleration's operator: newer
// API servers know more. From internal/webhook/module.go, 2.3 to 2.7.
func TakesOperator(operator string) bool {
	return operator == "" || operator == "Equal" || operator == "Exists"
}

// InternalTaints are the keys of the taints that KMM tolerates itself, with the
// effect NoSchedule. From internal/module/helper.go, 2.3 to 2.7.
func InternalTaints() []string {
	return []string{"node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure", "node.kubernetes.io/pid-pressure"}
}

// LabelFault says why no node can have a label, or is "".
func LabelFault(key, value string) string {
	if list := validation.IsQualifiedName(key); len(list) > 0 {
		return "no label can have the key " + key + ": it must be: " + strings.Join(list, "; ")
	}
	if list := validation.IsValidLabelValue(value); len(list) > 0 {
		return "no label can have the value " + value + ": it must be: " + strings.Join(list, "; ")
	}
	return ""
}

// NameFault says why no object can be called so, or is "".
func NameFault(name string) string {
	if list := validation.IsDNS1123Subdomain(name); len(list) > 0 {
		return strings.Join(list, "; ")
	}
	return ""
}
