package inject

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// captureFlag is the worker's flag for tap.packetCapture, since 52.2.1.
const captureFlag = "-packet-capture"

// otherBackends are those with which a worker does not look for PF_RING. "best",
// the default, leaves the choice to the worker; pf_ring asks for it.
var otherBackends = []string{"af_packet", "ebpf", "libpcap", "pcap"}

// OtherBackend is true if a worker with this value of tap.packetCapture does not
// look for PF_RING, so that the module is of no use to it.
func OtherBackend(packetCapture string) bool {
	return slices.Contains(otherBackends, packetCapture)
}

// packetCapture is the worker's capture backend, empty if it is not told one.
func packetCapture(sniffer *yaml.Node) string {
	for _, key := range []string{"command", "args"} {
		list := get(sniffer, key)
		if list == nil || list.Kind != yaml.SequenceNode {
			continue
		}
		for i, item := range list.Content {
			if value, ok := strings.CutPrefix(item.Value, captureFlag+"="); ok {
				return value
			}
			if item.Value == captureFlag && i+1 < len(list.Content) {
				return list.Content[i+1].Value
			}
		}
	}
	return ""
}

// LoaderName is the init container of Kubeshark 52.1.0 to 52.3.88 that loads
// PF_RING from an image with all modules, without checking what it loads.
const LoaderName = "load-pf-ring"

// ownLoader says how a worker loads the module by itself; empty if it does not.
func ownLoader(spec *yaml.Node) string {
	for _, key := range []string{"initContainers", "containers"} {
		list := get(spec, key)
		if list == nil {
			continue
		}
		for _, c := range list.Content {
			name := scalar(get(c, "name"))
			switch {
			case name == LoaderName:
				return fmt.Sprintf("its init container %s loads PF_RING from %s", name, scalar(get(c, "image")))
			case name == "sniffer" && addsCapability(c, "SYS_MODULE") && !hasArgument(c, "-no-kernel-module"):
				return fmt.Sprintf("its container %s has SYS_MODULE and loads PF_RING from Kubeshark's own bucket", name)
			}
		}
	}
	return ""
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
