package node

import (
	"testing"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestAModuleIsTheOneOfAnOutcomeByAllThatIsKnown(t *testing.T) {
	m := &LoadedModule{Version: "8.9.0", SrcVersion: "A", Instance: 7}
	for name, c := range map[string]struct {
		o    outcome.Module
		want bool
	}{
		"the same":                     {outcome.Module{Version: "8.9.0", SrcVersion: "A", Instance: 7}, true},
		"no srcversion was known":      {outcome.Module{Version: "8.9.0", Instance: 7}, true},
		"another srcversion":           {outcome.Module{Version: "8.9.0", SrcVersion: "B", Instance: 7}, false},
		"another version":              {outcome.Module{Version: "8.8.0", SrcVersion: "A", Instance: 7}, false},
		"another load":                 {outcome.Module{Version: "8.9.0", SrcVersion: "A", Instance: 8}, false},
		"which load it was is unknown": {outcome.Module{Version: "8.9.0", SrcVersion: "A"}, false},
	} {
		if got := m.is(c.o); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if none := (&LoadedModule{Version: "8.9.0"}); none.is(outcome.Module{Version: "8.9.0"}) {
		t.Error("without an inode any load counts")
	}
}
