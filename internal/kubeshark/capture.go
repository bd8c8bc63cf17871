package kubeshark

import (
	"fmt"
	"slices"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Loader is the init container of Kubeshark 52.1.0 to 52.3.88 that loads PF_RING
// from an image with all modules, without checking what it loads.
const Loader = "load-pf-ring"

// captureFlag is the worker's flag for tap.packetCapture, since 52.2.1.
const captureFlag = "-packet-capture"

// OtherBackend is true if a worker with this value of tap.packetCapture does not
// look for PF_RING, so that the module is of no use to it. "best", the default,
// leaves the choice to the worker; pf_ring asks for it.
func OtherBackend(packetCapture string) bool {
	return slices.Contains([]string{"af_packet", "ebpf", "libpcap", "pcap"}, packetCapture)
}

// Backends are the values of tap.packetCapture that Kubeshark's chart and worker are
// documented to know, in one release or another.
func Backends() []string { return []string{"best", "pf_ring", "af_packet", "ebpf", "libpcap", "pcap"} }

// UseOf says what PF_RING is to a worker with this value of tap.packetCapture, as the
// rest of a sentence about the worker.
func UseOf(packetCapture string) string {
	switch {
	case OtherBackend(packetCapture):
		return "captures with " + packetCapture + ", so PF_RING is of no use to it and it need not wait for the module"
	case packetCapture == "":
		return "has no capture backend configured, and may use PF_RING"
	case packetCapture == "pf_ring":
		return "is told to capture with pf_ring"
	}
	return "is told to capture with " + packetCapture + ", and may use PF_RING"
}

// Container is what a pod says of one, as far as it matters here.
type Container struct {
	Name, Image             string
	Capabilities, Arguments []string
}

// OwnLoader says how a pod loads PF_RING by itself, so that another loader must
// not be on its node; "" if it does not.
func OwnLoader(containers []Container) string {
	for _, c := range containers {
		loads := slices.Contains(c.Capabilities, "SYS_MODULE") || slices.Contains(c.Capabilities, "CAP_SYS_MODULE")
		switch {
		case c.Name == Loader:
			return fmt.Sprintf("its init container %s loads PF_RING from %s", c.Name, c.Image)
		case c.Name == "sniffer" && loads && !slices.Contains(c.Arguments, "-no-kernel-module"):
			return fmt.Sprintf("its container %s has SYS_MODULE and loads PF_RING from Kubeshark's own bucket", c.Name)
		case loads && pfRing().MatchString(c.Image):
			return fmt.Sprintf("its container %s has SYS_MODULE and the image %s", c.Name, c.Image)
		}
	}
	return ""
}

var pfRing = lazyregexp.New(`pf[-_]?ring`)
