package valuesschema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"
)

// checkKubernetes looks at what is handed to Kubernetes as it is, by the API
// server's own rules. Helm finds none of this before the API server refuses it.
func checkKubernetes(c *check) {
	agent, supply, tap := module.With("agent"), module.With("supply"), Path{"tap"}
	for _, part := range []Path{agent, supply, supply.With("builder")} {
		c.tolerations(part.With("tolerations"))
		c.labels(part.With("nodeSelector"))
		c.resources(part.With("resources"))
		c.affinity(part.With("affinity"))
	}
	c.resources(agent.With("initResources"))
	for _, pod := range []Path{agent, supply} {
		c.dns(pod)
		c.podSecurity(pod.With("podSecurityContext"))
		c.env(pod.With("extraEnv"))
	}
	c.updateStrategy(agent.With("updateStrategy"))
	c.peers(module.With("networkPolicy", "from"))
	c.tolerations(tap.With("tolerations", "workers"))
	for _, path := range []Path{
		tap.With("labels"), agent.With("podLabels"), supply.With("podLabels"), module.With("kmm", "selector"),
		module.With("metrics", "podMonitor", "labels"), module.With("metrics", "serviceMonitor", "labels"), module.With("metrics", "service", "labels"), module.With("metrics", "prometheusRule", "labels"), module.With("metrics", "dashboard", "labels"),
	} {
		c.labels(path)
	}
	for i := range c.list(module.With("kernelMappings")) {
		c.labels(module.With("kernelMappings", i, "build", "selector"))
	}
	for _, path := range []Path{tap.With("annotations"), agent.With("podAnnotations"), supply.With("podAnnotations"), module.With("serviceAccount", "annotations")} {
		c.labelKeys(path)
	}
	terms := tap.With("nodeSelectorTerms")
	if c.object(terms) != nil {
		terms = terms.With("workers")
	}
	c.selectorTerms(terms)
	c.volume(module.With("source", "volume"))
	c.extraVolumes(agent, c.agentMounts())
	c.extraVolumes(supply, ownMounts{"tmp": "/tmp", "settings": "/etc/pfring-controller/config.yaml"})
}

// why is the first of the reasons that apimachinery gives.
func why(reasons []string) string {
	if len(reasons) == 0 {
		return ""
	}
	text, _, _ := strings.Cut(reasons[0], " (e.g.")
	text, _, _ = strings.Cut(text, ", regex used")
	return strings.TrimPrefix(text, "a lowercase RFC 1123 ")
}

// tolerations follows the validation of a pod's tolerations.
func (c *check) tolerations(path Path) {
	for i := range c.list(path) {
		at := path.With(i)
		if c.object(at) == nil {
			continue
		}
		key, operator, value, effect := c.str(at.With("key")), c.str(at.With("operator")), c.str(at.With("value")), c.str(at.With("effect"))
		if operator == "" {
			operator = "Equal"
		}
		if key != "" {
			if text := why(validation.IsQualifiedName(key)); text != "" {
				c.errorf("toleration-invalid", at.With("key"), "", "invalid key of a taint: %s", text)
			}
		} else if operator != "Exists" {
			c.errorf("toleration-invalid", at, "add the taint's key, or operator: Exists to tolerate every taint",
				"a toleration without a key requires the operator Exists, this one has %s", operator)
		}
		switch operator {
		case "Exists":
			if value != "" {
				c.errorf("toleration-invalid", at.With("value"), "remove the value, or write operator: Equal", "the operator Exists takes no value")
			}
		case "Equal":
			if text := why(validation.IsValidLabelValue(value)); text != "" {
				c.errorf("toleration-invalid", at.With("value"), "", "invalid value of a taint: %s", text)
			}
		case "Gt", "Lt":
			switch {
			case !isInteger(value):
				c.errorf("toleration-invalid", at.With("value"), "", "the operator %s requires an integer", operator)
			case c.mode() != "kmm": // which refuses it in any case
				c.warnf("toleration-invalid", at.With("operator"), "write Equal or Exists, or check that the API server has the feature gate on",
					"the API server refuses the operator %s without the feature gate TaintTolerationComparisonOperators", operator)
			}
		}
		if v, ok := lookup(c.values, at.With("tolerationSeconds")); ok && v != nil && effect != "NoExecute" {
			c.errorf("toleration-invalid", at.With("tolerationSeconds"), "write effect: NoExecute, or remove tolerationSeconds",
				"only a toleration of the effect NoExecute can have tolerationSeconds")
		}
	}
}

// labels checks a map of labels, of objects or of nodes to select.
func (c *check) labels(path Path) {
	c.labelKeys(path)
	m := c.object(path)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if m[key] == nil {
			continue
		}
		if text := why(validation.IsValidLabelValue(plainText(m[key]))); text != "" {
			c.errorf("label-invalid", path.With(key), "", "invalid label value: %s", text)
		}
	}
}

func (c *check) labelKeys(path Path) {
	for _, key := range slices.Sorted(maps.Keys(c.object(path))) {
		// Annotations may have capital letters in their prefix.
		name := key
		if slices.Contains(path, any("annotations")) || slices.Contains(path, any("podAnnotations")) {
			name = strings.ToLower(key)
		}
		if text := why(validation.IsQualifiedName(name)); text != "" {
			c.errorf("label-invalid", path.With(key), "", "invalid key: %s", text)
		}
	}
}

// plainText is a scalar as the chart writes it.
func plainText(v any) string {
	if f, ok := v.(float64); ok && f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprint(v)
}

// selectorTerms follows the validation of a required node affinity.
func (c *check) selectorTerms(path Path) {
	for i := range c.list(path) {
		for j := range c.list(path.With(i, "matchExpressions")) {
			c.requirement(path.With(i, "matchExpressions", j))
		}
		for j := range c.list(path.With(i, "matchFields")) {
			at := path.With(i, "matchFields", j)
			op := c.str(at.With("operator"))
			switch {
			case c.object(at) == nil:
			case c.str(at.With("key")) != "metadata.name":
				c.errorf("selector-invalid", at.With("key"), "write metadata.name, or use matchExpressions", "a node has no other field to select by than metadata.name")
			case op != "In" && op != "NotIn" || len(c.list(at.With("values"))) != 1:
				c.errorf("selector-invalid", at, "", "a field takes the operator In or NotIn and exactly one value")
			}
		}
	}
}

// affinity follows the validation of a pod's affinity.
func (c *check) affinity(path Path) {
	known := []string{"nodeAffinity", "podAffinity", "podAntiAffinity"}
	for _, key := range slices.Sorted(maps.Keys(c.object(path))) {
		if near := Nearest(key, known); near != "" && near != key {
			c.errorf("selector-invalid", path.With(key), "did you mean "+near+"?", "Kubernetes ignores it")
		}
	}
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	node := path.With("nodeAffinity")
	if terms := node.With(required, "nodeSelectorTerms"); c.object(node.With(required)) != nil {
		if len(c.list(terms)) == 0 {
			c.errorf("selector-invalid", node.With(required), "add a term, or remove the block", "requires at least one of nodeSelectorTerms")
		}
		c.selectorTerms(terms)
	}
	for i := range c.list(node.With(preferred)) {
		at := node.With(preferred, i)
		c.weight(at)
		for j := range c.list(at.With("preference", "matchExpressions")) {
			c.requirement(at.With("preference", "matchExpressions", j))
		}
	}
	for _, pod := range []Path{path.With("podAffinity"), path.With("podAntiAffinity")} {
		for i := range c.list(pod.With(required)) {
			c.topology(pod.With(required, i))
		}
		for i := range c.list(pod.With(preferred)) {
			c.weight(pod.With(preferred, i))
			c.topology(pod.With(preferred, i, "podAffinityTerm"))
		}
	}
}

func (c *check) weight(at Path) {
	if v, _ := lookup(c.values, at.With("weight")); c.object(at) != nil {
		if f, ok := v.(float64); !ok || f < 1 || f > 100 || f != float64(int(f)) {
			c.errorf("selector-invalid", at, "", "weight must be an integer from 1 to 100")
		}
	}
}

func (c *check) topology(at Path) {
	if c.object(at) == nil {
		return
	}
	if text := why(validation.IsQualifiedName(c.str(at.With("topologyKey")))); text != "" {
		c.errorf("selector-invalid", at, "such as topologyKey: kubernetes.io/hostname", "invalid topologyKey: %s", text)
	}
}

func (c *check) requirement(at Path) {
	if c.object(at) == nil {
		return
	}
	key, op, values := c.str(at.With("key")), c.str(at.With("operator")), c.list(at.With("values"))
	if text := why(validation.IsQualifiedName(key)); key != "" && text != "" {
		c.errorf("selector-invalid", at.With("key"), "", "invalid label key: %s", text)
	}
	switch op {
	case "In", "NotIn":
		if len(values) == 0 {
			c.errorf("selector-invalid", at, "add values, or write operator: Exists", "the operator %s requires at least one value", op)
		}
		for i, v := range values {
			if text := why(validation.IsValidLabelValue(fmt.Sprint(v))); text != "" {
				c.errorf("selector-invalid", at.With("values", i), "", "no node can have this label value: %s", text)
			}
		}
	case "Exists", "DoesNotExist":
		if len(values) > 0 {
			c.errorf("selector-invalid", at.With("values"), "remove the values, or write operator: In", "the operator %s takes no values", op)
		}
	case "Gt", "Lt":
		if len(values) != 1 || !isInteger(fmt.Sprint(values[0])) {
			c.errorf("selector-invalid", at, "", "the operator %s requires exactly one value, an integer", op)
		}
	}
}

// resources follows the validation of a container's requests and limits.
func (c *check) resources(path Path) {
	for _, key := range slices.Sorted(maps.Keys(c.object(path))) {
		known := []string{"requests", "limits", "claims"}
		if near := Nearest(key, known); near != "" && near != key {
			c.errorf("quantity-invalid", path.With(key), "did you mean "+near+"?", "Kubernetes ignores it")
		}
	}
	if claims := path.With("claims"); len(c.list(claims)) > 0 {
		c.errorf("quantity-invalid", claims, "remove it", "the pod has no resource claims that a container could name")
	}
	limits := c.quantities(path.With("limits"))
	requests := c.quantities(path.With("requests"))
	for _, name := range slices.Sorted(maps.Keys(requests)) {
		if _, limited := limits[name]; !limited && strings.Contains(name, "/") {
			c.errorf("quantity-invalid", path.With("requests", name), "set the same limit", "a device such as this one requires a limit")
		}
	}
	for name, request := range requests {
		if limit, ok := limits[name]; ok && request.Cmp(limit) > 0 {
			c.errorf("quantity-invalid", path.With("requests", name), "lower it, or raise the limit", "above the limit of %s", limit.String())
		}
	}
}

func (c *check) quantities(path Path) map[string]resource.Quantity {
	read := map[string]resource.Quantity{}
	m := c.object(path)
	for _, name := range slices.Sorted(maps.Keys(m)) {
		at := path.With(name)
		if m[name] == nil {
			continue
		}
		if text := why(validation.IsQualifiedName(name)); text != "" {
			c.errorf("quantity-invalid", at, "", "invalid name of a resource: %s", text)
		}
		device := strings.Contains(name, "/")
		if !device && !slices.Contains([]string{"cpu", "memory", "ephemeral-storage"}, name) && !strings.HasPrefix(name, "hugepages-") {
			c.errorf("quantity-invalid", at, "such as cpu, memory, ephemeral-storage or a device like nvidia.com/gpu", "a container cannot have this resource")
			continue
		}
		q, err := resource.ParseQuantity(plainText(m[name]))
		switch {
		case err != nil:
			c.errorf("quantity-invalid", at, "such as 100m for cpu or 64Mi for memory", "invalid quantity: must be a number with an optional suffix: m, k, M, G, T, Ki, Mi, Gi or Ti")
			continue
		case q.Sign() < 0:
			// Of a number the schema says so.
			if _, isText := m[name].(string); isText {
				c.errorf("quantity-invalid", at, "", "a quantity cannot be negative")
			}
			continue
		case device && q.MilliValue()%1000 != 0:
			c.errorf("quantity-invalid", at, "", "a device is not divisible: must be an integer")
			continue
		case name == "memory" && q.MilliValue()%1000 != 0:
			c.errorf("quantity-invalid", at, "write "+strings.TrimSuffix(plainText(m[name]), "m")+"Mi if that was meant", "memory has no fractions of a byte: m is a thousandth, Mi is 1024 KiB")
			continue
		}
		read[name] = q
	}
	return read
}
