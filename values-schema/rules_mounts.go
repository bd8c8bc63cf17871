package valuesschema

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// ownMounts are the chart's own volumes in a pod, and where they are mounted.
type ownMounts map[string]string

// agentMounts are those that every pod of the agent has with these values; what only
// some sources need is left to the API server.
func (c *check) agentMounts() ownMounts {
	own := ownMounts{"outcome": "/run/pfring"}
	if c.mode() != "auto" {
		return own
	}
	own["sys"] = "/host/sys"
	if state := c.str(module.With("stateFile")); state != "" {
		own["state"], own["watch"] = path.Dir(state), path.Dir(state)+"/watch"
	}
	if c.boolean(module.With("cache", "enabled")) {
		own["cache"] = c.str(module.With("cache", "hostPath"))
	}
	return own
}

// conditional are volumes that the chart has with some values only. Whether one is
// there is not known here, so mounting it is not refused.
var conditional = []string{
	"proc", "credentials", "proxy", "keys", "ca", "docker", "modules", "supply", "supply-credentials", // of the agent
	"source-ca", "source-proxy", "source-keys", "source-credentials", "builder-ca", "store-credentials", "store", // of the controller
}

// extraVolumes checks the volumes and mounts that the values add to a pod.
func (c *check) extraVolumes(pod Path, own ownMounts) {
	c.volumes(pod.With("extraVolumes"), slices.Collect(maps.Keys(own)))
	c.mounts(pod.With("extraVolumeMounts"), pod.With("extraVolumes"), own)
}

// mounts follows the validation of a container's mounts, of the pod's extra volumes
// and of the chart's own.
func (c *check) mounts(list, volumes Path, own ownMounts) {
	names := slices.Concat(slices.Collect(maps.Keys(own)), conditional)
	for i := range c.list(volumes) {
		names = append(names, c.str(volumes.With(i, "name")))
	}
	taken := map[string]string{}
	for name, at := range own {
		taken[at] = "the chart mounts its volume " + name + " there"
	}
	for i, element := range c.list(list) {
		at := list.With(i)
		fields, ok := element.(map[string]any)
		if !ok {
			continue // the schema says so
		}
		c.fields("volume-invalid", at, fields, reflect.TypeFor[corev1.VolumeMount]())
		if name := c.str(at.With("name")); name != "" && !slices.Contains(names, name) {
			c.errorf("volume-invalid", at.With("name"), "add it to extraVolumes, or correct the name", "no volume has this name")
		}
		if mount := c.str(at.With("mountPath")); mount != "" {
			if by := taken[mount]; by != "" {
				c.errorf("volume-invalid", at.With("mountPath"), "mount it elsewhere", "%s", by)
			} else {
				taken[mount] = "another mount has this path"
			}
		}
		c.mount(at)
	}
}

// mount follows the validation of one mount, in a container without privileges.
func (c *check) mount(at Path) {
	c.descending(at.With("subPath"))
	c.descending(at.With("subPathExpr"))
	if c.str(at.With("subPath")) != "" && c.str(at.With("subPathExpr")) != "" {
		c.errorf("volume-invalid", at.With("subPathExpr"), "remove one of them", "subPath and subPathExpr exclude each other")
	}
	propagation, recursive := c.str(at.With("mountPropagation")), c.str(at.With("recursiveReadOnly"))
	switch propagation {
	case "", "None", "HostToContainer":
	case "Bidirectional":
		c.errorf("volume-invalid", at.With("mountPropagation"), "write HostToContainer", "Bidirectional requires a privileged container, which these are not")
	default:
		c.errorf("volume-invalid", at.With("mountPropagation"), "", "must be one of None, HostToContainer")
	}
	words := []string{"Disabled", "IfPossible", "Enabled"}
	switch {
	case recursive == "" || recursive == "Disabled":
	case !slices.Contains(words, recursive):
		c.errorf("volume-invalid", at.With("recursiveReadOnly"), "", "must be one of %s", strings.Join(words, ", "))
	case !c.boolean(at.With("readOnly")):
		c.errorf("volume-invalid", at.With("recursiveReadOnly"), "add readOnly: true", "recursiveReadOnly requires readOnly")
	case propagation != "" && propagation != "None":
		c.errorf("volume-invalid", at.With("recursiveReadOnly"), "remove mountPropagation", "recursiveReadOnly excludes mountPropagation")
	}
}
