package kubeshark

import "slices"

// Loader is the init container of Kubeshark 52.1.0 to 52.3.88 that loads PF_RING
// from an image with all modules, without checking what it loads.
const Loader = "load-pf-ring"

// CaptureFlag is the worker's flag for tap.packetCapture, since 52.2.1.
const CaptureFlag = "-packet-capture"

// OtherBackend is true if a worker with this value of tap.packetCapture does not
// look for PF_RING, so that the module is of no use to it. "best", the default,
// leaves the choice to the worker; pf_ring asks for it.
func OtherBackend(packetCapture string) bool {
	return slices.Contains([]string{"af_packet", "ebpf", "libpcap", "pcap"}, packetCapture)
}
