package prereq

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
)

func TestACauseOfSeveralItemsIsToldOnce(t *testing.T) {
	image := func(kernel, said string) detail {
		m := mapped{kernel: kernel0(kernel), nodes: 2, mapping: compatibility.Mapped{Image: "reg/pf:" + kernel}}
		return imageSeen{mapped: m}.line(said)
	}
	var unresolved []detail
	for n := range 9 {
		kernel := fmt.Sprintf("6.%d.0", n)
		unresolved = append(unresolved, image(kernel, "reg/pf:"+kernel+" could not be looked up from here: its name cannot be resolved."))
	}
	for name, test := range map[string]struct{ got, want []string }{
		"alone":      {grouped([]detail{about("a", "x"), about("b", "y"), about("c", "")}), []string{"a: x", "b: y", "c"}},
		"two":        {grouped([]detail{about("a", "x."), about("b", "x.")}), []string{"a: x; the same for b"}},
		"two lists":  {grouped([]detail{about("a", "x")}, []detail{about("b", "y"), about("c", "x"), about("d", "x")}), []string{"a: x; the same for c and d", "b: y"}},
		"no cause":   {grouped([]detail{about("a", ""), about("b", "")}), []string{"a", "b"}},
		"images":     {grouped(unresolved[:3]), []string{"6.0.0 amd64 (2 nodes): reg/pf:6.0.0 could not be looked up from here: its name cannot be resolved; the same for 6.1.0 amd64 (2 nodes) and 6.2.0 amd64 (2 nodes)"}},
		"many":       {grouped(unresolved), []string{"6.0.0 amd64 (2 nodes): reg/pf:6.0.0 could not be looked up from here: its name cannot be resolved; the same for 6.1.0 amd64 (2 nodes), 6.2.0 amd64 (2 nodes), 6.3.0 amd64 (2 nodes), 6.4.0 amd64 (2 nodes), 6.5.0 amd64 (2 nodes) and 3 more"}},
		"said after": {grouped([]detail{image("6.1.0", "it has no /bin/sh"), image("6.2.0", "it has no /bin/sh")}), []string{"6.1.0 amd64 (2 nodes): reg/pf:6.1.0: it has no /bin/sh; the same for 6.2.0 amd64 (2 nodes)"}},
	} {
		if !slices.Equal(test.got, test.want) {
			t.Errorf("%s:\n%q\nwant\n%q", name, test.got, test.want)
		}
	}
}

func kernel0(release string) kernel { return kernel{release, "amd64"} }
