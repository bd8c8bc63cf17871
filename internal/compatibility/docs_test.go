package compatibility_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

const page = "../../docs/compatibility.md"

// The table of platforms is generated from the code that tells them apart.
func TestTheDocumentedPlatformsAreThoseOfTheCode(t *testing.T) {
	goldentest.Section(t, page, "<!-- platforms: go test ./internal/compatibility -update -->\n", "<!-- end -->", platforms())
}

func platforms() []byte {
	words := map[cluster.Policy]string{
		cluster.Loads: "as any Linux", cluster.SignedOnly: "`no` unsigned, `unknown` signed", cluster.Never: "`no`", cluster.Unclear: "`unknown`",
	}
	var b strings.Builder
	b.WriteString("| platform | how a Node shows it | with a module for its kernel | why, and what to do |\n| --- | --- | --- | --- |\n")
	for _, p := range cluster.Platforms() {
		fmt.Fprintf(&b, "| %s<br>`%s` | %s | %s | %s %s [source](%s) |\n", p.Name, p.Platform, p.Shows, words[p.Policy], p.Why, p.Remedy, p.Source)
	}
	return []byte(b.String())
}

func TestEachReasonIsDocumented(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{
		verdict.PlatformForbids, verdict.PlatformSigned, verdict.PlatformUnclear, verdict.NotReported,
		verdict.NotSelected, verdict.ArchUnsupported, verdict.ToBeBuilt, verdict.Building, verdict.BuildUntried,
		verdict.BuildFailed, verdict.BuildUnsupported, verdict.SupplyUnknown, compatibility.ReasonNoMapping, compatibility.ReasonImageNotChecked, compatibility.ReasonBuilt,
		compatibility.ReasonKernelUnserved, compatibility.ReasonModuleStalled,
		compatibility.ReasonImageMissing, compatibility.ReasonImageArch, compatibility.ReasonImageForbidden, compatibility.ReasonImageUnreachable,
		compatibility.ReasonRegistryUnknown, compatibility.ReasonRegistryUntrusted, compatibility.ReasonRegistryTimeout, compatibility.ReasonProxyRefused,
	} {
		if !bytes.Contains(text, []byte("| `"+reason+"` |")) {
			t.Errorf("%s has no row for %s", page, reason)
		}
	}
}
