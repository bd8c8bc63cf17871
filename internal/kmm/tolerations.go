package kmm

// TakesOperator tells whether KMM's webhook takes a toleration's operator: newer
// API servers know more. From internal/webhook/module.go, 2.3 to 2.7, whose
// other rules are those of the API server for a pod's tolerations.
func TakesOperator(operator string) bool {
	return operator == "" || operator == "Equal" || operator == "Exists"
}

// InternalTaints are the keys of the taints that KMM tolerates itself, with the
// effect NoSchedule. From internal/module/helper.go, 2.3 to 2.7.
func InternalTaints() []string {
	return []string{"node.kubernetes.io/disk-pressure", "node.kubernetes.io/memory-pressure", "node.kubernetes.io/pid-pressure"}
}
