package valuesschema_test

import (
	"strings"
	"testing"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

func TestNearestIsWhatWasMeant(t *testing.T) {
	keys := []string{"enabled", "mode", "onUnavailable", "kernelMappings", "replaceLoaded", "kmm"}
	for word, want := range map[string]string{
		"enable": "enabled", "Enabled": "enabled", "moed": "mode", "mdoe": "mode", "onunavailable": "onUnavailable", "kernelMapping": "kernelMappings",
		"kernel_mappings": "kernelMappings", "km": "kmm", "": "", "x": "", "zzzzzz": "", "replace": "",
		strings.Repeat("m", 100): "",
	} {
		if got := valuesschema.Nearest(word, keys); got != want {
			t.Errorf("Nearest(%q) is %q, want %q", word, got, want)
		}
	}
}
