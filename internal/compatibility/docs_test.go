package compatibility_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
)

const page = "../../docs/compatibility.md"

// The table of platforms is generated from the code that tells them apart.
func TestTheDocumentedPlatformsAreThoseOfTheCode(t *testing.T) {
	const begin, end = "<!-- platforms: go test ./internal/compatibility -update -->\n", "<!-- end -->"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok1 := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok1 || !ok2 {
		t.Fatalf("%s has lost the marks around its table of platforms", page)
	}
	want := bytes.Join([][]byte{before, []byte(begin), platforms(), []byte(end), after}, nil)
	if *update {
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(text, want) {
		t.Errorf("%s is not what the code says; go test ./internal/compatibility -update", page)
	}
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
