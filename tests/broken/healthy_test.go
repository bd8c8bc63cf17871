package broken_test

import (
	"encoding/xml"
	"slices"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/prereq"
)

func TestAHealthyClusterHasNoFinding(t *testing.T) {
	t.Run("auto, nothing else installed", func(t *testing.T) {
		bare(t)
		healthy(t, attempt{mode: "auto"})
	})
	t.Run("kmm", func(t *testing.T) {
		whole(t)
		healthy(t, attempt{mode: "kmm"})
	})
	t.Run("both modes at once", func(t *testing.T) {
		whole(t)
		healthy(t, attempt{mode: "kmm", args: []string{"--mode", "both"}, kernelModule: object{
			"source": object{"url": shared.source.url + "/good", "publicKeys": []any{shared.source.key}},
		}})
	})
}

// healthy wants no finding, and nothing left out but the checks named.
func healthy(t *testing.T, a attempt, skipped ...string) {
	t.Helper()
	report := a.finds(t)
	if got := skips(report); !slices.Equal(got, skipped) {
		t.Errorf("not looked at: %v, want %v\n%+v", got, skipped, report.Findings)
	}
	if !report.OK || !strings.HasPrefix(report.Verdict, "ready") {
		t.Errorf("%v: %s", report.OK, report.Verdict)
	}
}

func TestJUnitOfARealClusterIsXMLWithAFailureForEachError(t *testing.T) {
	bare(t)
	a := attempt{mode: "kmm", namespace: shared.Namespace(t, ""), raw: true, args: []string{"-o", "junit"}}
	out, errOut, code := a.outputOf(t)
	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Skipped  int `xml:"skipped,attr"`
		Cases    []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
			Skipped *struct{} `xml:"skipped"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal([]byte(out), &suite); err != nil || code != 1 || errOut != "" {
		t.Fatalf("exit %d, %v, %q\n%s", code, err, errOut, out)
	}
	wanted := 0
	for _, c := range prereq.Checks() {
		if c.Mode != prereq.ModeAuto {
			wanted++
		}
	}
	var failures, skipped []string
	for _, c := range suite.Cases {
		if c.Failure != nil {
			failures = append(failures, c.Name)
		}
		if c.Skipped != nil {
			skipped = append(skipped, c.Name)
		}
	}
	if !slices.Equal(failures, []string{"cert-manager.definitions", "kmm.definitions"}) || len(failures) != suite.Failures ||
		len(skipped) != suite.Skipped || len(suite.Cases) != suite.Tests || suite.Tests != wanted {
		t.Errorf("%d tests, failures %v, skipped %v; %d checks are for kmm", suite.Tests, failures, skipped, wanted)
	}
}
