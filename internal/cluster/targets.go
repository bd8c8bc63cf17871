package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Targets says which nodes are meant to get the module: those that have all of
// Labels, match any of Terms and fit Limit. The zero value means every node.
type Targets struct {
	// Terms are as in a pod's node affinity.
	Terms []corev1.NodeSelectorTerm
	// Labels are as in a pod's nodeSelector.
	Labels map[string]string
	// Limit is what the chart asks of a node, whatever the values select.
	Limit Limit
}

// ParseTerms reads node selector terms as they stand in values: a list, or nil.
func ParseTerms(values any) ([]corev1.NodeSelectorTerm, error) {
	data, err := json.Marshal(values)
	if err != nil {
		return nil, fmt.Errorf("cannot read node selector terms: %w", err)
	}
	var terms []corev1.NodeSelectorTerm
	if err := json.Unmarshal(data, &terms); err != nil {
		return nil, fmt.Errorf("cannot read node selector terms: %w", err)
	}
	return terms, nil
}

// Match tells whether n is meant to get the module, as the scheduler decides it
// for a pod. Taints are not looked at.
func (t Targets) Match(n *corev1.Node) bool {
	for key, value := range t.Labels {
		if have, ok := n.Labels[key]; !ok || have != value {
			return false
		}
	}
	if t.Limit.leavesOut(n) != "" {
		return false
	}
	return len(t.Terms) == 0 || slices.ContainsFunc(t.Terms, func(term corev1.NodeSelectorTerm) bool { return matchTerm(term, n) })
}

// LeavesOut says why n is not meant to get the module, as a clause about the node;
// "" if it is meant to. What no setting helps against comes before what the values
// select.
func (t Targets) LeavesOut(n *corev1.Node) string {
	if t.Match(n) {
		return ""
	}
	if why := AgentNodes.leavesOut(n); why != "" {
		return why
	}
	for _, key := range slices.Sorted(maps.Keys(t.Labels)) {
		if have, ok := n.Labels[key]; !ok || have != t.Labels[key] {
			return "it lacks the label " + key + "=" + t.Labels[key]
		}
	}
	return "no term of the node affinity matches it"
}

// matchTerm: all requirements of a term must hold, and a term without any
// matches nothing.
func matchTerm(term corev1.NodeSelectorTerm, n *corev1.Node) bool {
	for _, r := range term.MatchExpressions {
		value, has := n.Labels[r.Key]
		if !matchRequirement(r, value, has) {
			return false
		}
	}
	for _, r := range term.MatchFields {
		// The API takes no other field here.
		if r.Key != "metadata.name" || !matchRequirement(r, n.Name, true) {
			return false
		}
	}
	return len(term.MatchExpressions)+len(term.MatchFields) > 0
}

func matchRequirement(r corev1.NodeSelectorRequirement, value string, has bool) bool {
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return has && slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !has || !slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpExists:
		return has
	case corev1.NodeSelectorOpDoesNotExist:
		return !has
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if !has || len(r.Values) != 1 {
			return false
		}
		have, err1 := strconv.ParseInt(value, 10, 64)
		limit, err2 := strconv.ParseInt(r.Values[0], 10, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		if r.Operator == corev1.NodeSelectorOpGt {
			return have > limit
		}
		return have < limit
	}
	return false
}
