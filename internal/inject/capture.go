package inject

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubeshark/kubeshark-pfring/internal/kubeshark"
)

// packetCapture is the worker's capture backend, empty if it is not told one.
func packetCapture(sniffer *yaml.Node) string {
	return kubeshark.PacketCapture(append(texts(get(sniffer, "command")), texts(get(sniffer, "args"))...))
}

// ownLoader says how a worker loads the module by itself; empty if it does not.
func ownLoader(spec *yaml.Node) string {
	var all []kubeshark.Container
	for _, key := range []string{"initContainers", "containers"} {
		list := get(spec, key)
		if list == nil {
			continue
		}
		for _, c := range list.Content {
			all = append(all, kubeshark.Container{
				Name: scalar(get(c, "name")), Image: scalar(get(c, "image")),
				Capabilities: texts(get(c, "securityContext", "capabilities", "add")),
				Arguments:    append(texts(get(c, "command")), texts(get(c, "args"))...),
			})
		}
	}
	return kubeshark.OwnLoader(all)
}

// texts are the items of a list.
func texts(list *yaml.Node) (out []string) {
	if list == nil {
		return nil
	}
	for _, item := range list.Content {
		out = append(out, item.Value)
	}
	return out
}

func addsCapability(container *yaml.Node, name string) bool {
	add := get(container, "securityContext", "capabilities", "add")
	return add != nil && slices.ContainsFunc(add.Content, func(c *yaml.Node) bool { return c.Value == name || c.Value == "CAP_"+name })
}

func hasArgument(container *yaml.Node, argument string) bool {
	return slices.ContainsFunc([]string{"command", "args"}, func(key string) bool {
		list := get(container, key)
		return list != nil && slices.ContainsFunc(list.Content, func(c *yaml.Node) bool { return c.Value == argument })
	})
}

// versionOf reads the worker's version: from its image's tag, else from the
// labels that Kubeshark's chart gives it.
func versionOf(daemonSet, sniffer *yaml.Node) kubeshark.Version {
	image, _, _ := strings.Cut(scalar(get(sniffer, "image")), "@")
	return kubeshark.Best(image[strings.LastIndexByte(image, ':')+1:],
		scalar(get(daemonSet, "metadata", "labels", "app.kubernetes.io/version")), scalar(get(daemonSet, "metadata", "labels", "helm.sh/chart")))
}

// hasShell is true for the workers whose image is known to have /bin/sh.
func hasShell(v kubeshark.Version, daemonSet *yaml.Node) bool {
	if v.Known() {
		return v.HasShell()
	}
	// The later labels came with 52.10.
	for _, labels := range []*yaml.Node{get(daemonSet, "metadata", "labels"), get(daemonSet, "spec", "template", "metadata", "labels")} {
		for _, key := range kubeshark.WorkerLabels()[1:] {
			if scalar(get(labels, key)) == "worker" {
				return true
			}
		}
	}
	return false
}
