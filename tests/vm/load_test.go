package vm_test

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

func TestLoad(t *testing.T) {
	r := newRig(t, vm.Stable)
	r.repository(t, "good", "8.9.0", vm.Module(t, r.kernel, vm.Variant{Version: "8.9.0"}), "zst")
	r.boot(t, "")
	o := r.outcome(t, r.Do(t, r.load("good")))
	if o.Reason != outcome.Loaded || r.loaded(t, "pf_ring") != "Live" {
		t.Errorf("%s", pretty(o))
	}
	t.Log(pretty(o))
}
