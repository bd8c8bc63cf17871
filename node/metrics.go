package node

import (
	"fmt"
	"strconv"
	"strings"
)

// metrics writes the Prometheus text format. It is small enough to be written
// out, and the client library would be a third of the agent.
func (w *Watch) metrics(rings bool) string {
	o := w.Outcome()
	var b strings.Builder
	family(&b, "pfring_backend", "gauge", "What captures packets on this node, and why; always 1.")
	sample(&b, "pfring_backend", "1", "backend", string(o.Backend), "reason", string(o.Reason))
	family(&b, "pfring_module_info", "gauge", "The PF_RING module of this node; always 1.")
	sample(&b, "pfring_module_info", "1", "version", o.Module.Version, "kernel", o.Kernel,
		"source", o.Module.Source, "verified", string(o.Module.Verified))
	family(&b, "pfring_load_duration_seconds", "gauge", "Time to find, fetch, verify and load the module, or to wait for it.")
	sample(&b, "pfring_load_duration_seconds", seconds(o.DurationMS.Total))
	family(&b, "pfring_fetch_bytes_total", "counter", "Bytes that were fetched from the module repository.")
	sample(&b, "pfring_fetch_bytes_total", strconv.FormatInt(o.FetchedBytes, 10))
	if !o.IndexExpires.IsZero() {
		family(&b, "pfring_index_expiry_timestamp_seconds", "gauge", "When the module repository's index expires, in seconds since 1970.")
		sample(&b, "pfring_index_expiry_timestamp_seconds", strconv.FormatInt(o.IndexExpires.Unix(), 10))
	}
	if rings {
		w.ringMetrics(&b)
	}
	return b.String()
}

func (w *Watch) ringMetrics(b *strings.Builder) {
	rings := w.Host.Rings(w.ModuleName)
	family(b, "pfring_rings", "gauge", "Open rings, in all network namespaces.")
	sample(b, "pfring_rings", strconv.Itoa(len(rings)))
	counter := func(name, help string, value func(Ring) uint64) {
		family(b, name, "counter", help)
		for _, r := range rings {
			sample(b, name, strconv.FormatUint(value(r), 10), "ring", r.Name, "device", r.Device, "application", r.App)
		}
	}
	counter("pfring_ring_packets_total", "Packets that the kernel had for an open ring, including lost packets.", func(r Ring) uint64 { return r.Packets })
	counter("pfring_ring_lost_packets_total", "Packets of pfring_ring_packets_total that were lost because an open ring was full.", func(r Ring) uint64 { return r.Lost })
}

func family(b *strings.Builder, name, kind, help string) {
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample writes one line; labels are names and values in turn.
func sample(b *strings.Builder, name, value string, labels ...string) {
	b.WriteString(name)
	for i := 0; i+1 < len(labels); i += 2 {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		b.WriteString(labels[i] + `="` + escape(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		b.WriteByte('}')
	}
	b.WriteString(" " + value + "\n")
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "?"))
}

func seconds(ms int64) string { return strconv.FormatFloat(float64(ms)/1000, 'f', -1, 64) }
