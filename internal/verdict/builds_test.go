package verdict_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/worldtest"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// What compatibility advises to build, module build builds, and it builds nothing for
// nodes that take no module.
func TestWhatIsAdvisedToBeBuiltIsBuilt(t *testing.T) {
	worldtest.Check(t, func(t *rapid.T) {
		w := worldtest.Worlds().Draw(t, "world")
		report := w.Compatibility(worldtest.Values(true, false))
		targets, skipped, err := build.Plan(w.Nodes, build.Choice{
			Has:     func(kernel, arch string) bool { return w.Source(kernel, arch).Present },
			Refuses: verdict.NewJudge().Refuses,
		})
		if err != nil {
			t.Fatal(err)
		}
		builds := map[string]bool{}
		for _, b := range targets {
			builds[b.String()] = true
		}
		for _, s := range skipped {
			if builds[s.Kernel+" "+s.Arch] {
				t.Fatalf("%v is built and is not", s)
			}
		}
		useful := map[string]bool{}
		for _, n := range report.Nodes {
			name := n.Kernel + " " + n.Arch
			advised := strings.Contains(n.Remedy, "pfring module build --kernel") && !strings.Contains(n.Remedy, "--script")
			if advised && n.OS != "linux" && !builds[name] {
				t.Fatalf("module build does not do what is advised: %+v\n%+v", n, skipped)
			}
			useful[name] = useful[name] || n.Supported != verdict.Excluded && n.Reason != verdict.PlatformForbids && n.Reason != verdict.ArchUnsupported
		}
		for name := range builds {
			if !useful[name] {
				t.Fatalf("%s is built, and no node takes it: %+v", name, report.Nodes)
			}
		}
	})
}
