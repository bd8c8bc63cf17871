package kubeshark

import (
	"strings"
	"testing"
)

func TestTheCaptureBackendIsReadFromTheArguments(t *testing.T) {
	for text, want := range map[string]string{
		"./worker -i any -packet-capture best -port 48999": "best",
		"./worker -packet-capture=af_packet":               "af_packet",
		"./worker -packet-capture":                         "",
		"./worker -packet-captures ebpf":                   "",
		"":                                                 "",
	} {
		if got := PacketCapture(strings.Fields(text)); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

func TestWorkersAreKnownByNameOrLabel(t *testing.T) {
	for _, key := range WorkerLabels() {
		if !IsWorker("x", map[string]string{key: "worker"}) || IsWorker("x", map[string]string{key: "hub"}) {
			t.Error(key)
		}
	}
	if !IsWorker(WorkerName, nil) || IsWorker("worker", nil) {
		t.Error("by name")
	}
}

func TestTheUseOfPFRingIsSaidForEachBackend(t *testing.T) {
	for backend, want := range map[string]string{"": "no capture backend", "best": "may use", "pf_ring": "told to capture with pf_ring", "af_packet": "of no use", "ebpf": "need not wait"} {
		if got := UseOf(backend); !strings.Contains(got, want) {
			t.Errorf("%q: %q", backend, got)
		}
	}
}
