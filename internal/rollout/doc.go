// Package rollout tells the state of each node of an installed release: whether
// it is to have the PF_RING module, whether it has, since when, and if not, why.
// It also re-runs the load where a node fell back.
//
// Its facts are the DaemonSet of the chart, the outcome lines in its pods'
// termination messages, what has happened to their containers since, and the
// Node objects; in kmm mode also what KMM shows of its work. It reads no logs
// and needs no rights on a node. It knows neither values nor charts.
package rollout
