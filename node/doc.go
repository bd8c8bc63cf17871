// Package node is what happens on a Kubernetes node: it finds out what the
// kernel allows, loads the PF_RING module or waits for somebody else to load
// it, watches it, unloads it, and says in an outcome what happened to it.
//
// Where a module comes from and what it must prove is package module's to
// know; what an outcome looks like is package outcome's. The package links
// neither Helm nor a Kubernetes client: the agent talks to the kernel and to
// the module repository, never to the API server.
package node
