package valuesschema_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/cli/values"

	"github.com/kubeshark/kubeshark-pfring/charts"
	"github.com/kubeshark/kubeshark-pfring/renderer"
)

// helmRefuses renders a case's values as `helm template` does, without pfring's
// validation, and returns what Helm says, or "".
func helmRefuses(t *testing.T, c *ruleCase) string {
	t.Helper()
	c.enter(t)
	o := c.options
	merged, err := (&values.Options{
		ValueFiles: o.Files, Values: o.Set, StringValues: o.SetString, FileValues: o.SetFile, JSONValues: o.SetJSON,
	}).MergeValues(nil)
	if err != nil {
		return err.Error()
	}
	chart, err := renderer.LoadFS(charts.FS(), charts.Name)
	if err != nil {
		t.Fatal(err)
	}
	namespace := o.Namespace
	if namespace == "" {
		namespace = "kubeshark"
	}
	if _, err := renderer.Render(chart, renderer.Options{Values: merged, Namespace: namespace, ReleaseName: o.ReleaseName}); err != nil {
		return err.Error()
	}
	return ""
}

// helmLine is what a section of docs/validation.md says of Helm.
var helmLine = regexp.MustCompile(`(?m)^(Error|Warning|Error or warning)\. Helm (refuses|accepts|refuses some of) this\.$`)

// The docs tell of each rule whether Helm would have found it; what Helm says of
// the cases proves it.
func TestDocsTellWhatHelmFinds(t *testing.T) {
	if testing.Short() {
		t.Skip("renders each case by Helm: run without -short")
	}
	data, err := os.ReadFile("../docs/validation.md")
	if err != nil {
		t.Fatal(err)
	}
	type tally struct{ refused, accepted int }
	rules := map[string]*tally{}
	for _, c := range ruleCases(t) {
		only := onlyRule(t, c)
		if only == "" {
			continue
		}
		if rules[only] == nil {
			rules[only] = &tally{}
		}
		t.Run(c.name, func(t *testing.T) {
			if helmRefuses(t, &c) != "" {
				rules[only].refused++
			} else {
				rules[only].accepted++
			}
		})
	}
	sections := strings.Split(string(data), "\n### ")
	for rule, n := range rules {
		want := "refuses"
		switch {
		case n.refused == 0:
			want = "accepts"
		case n.accepted > 0:
			want = "refuses some of"
		}
		i := slices.IndexFunc(sections, func(s string) bool { return strings.HasPrefix(s, rule+"\n") })
		if i < 0 {
			continue // TestEveryRuleHasASectionInTheDocs tells.
		}
		m := helmLine.FindStringSubmatch(sections[i])
		if m == nil || m[2] != want {
			t.Errorf("docs/validation.md, %s: Helm %s it (%d cases refused, %d accepted), the section says %q", rule, want, n.refused, n.accepted, m)
		}
	}
}

// onlyRule is the one rule that the case's problems have, or "".
func onlyRule(t *testing.T, c ruleCase) string {
	t.Helper()
	var rules, incidental []string
	t.Run(c.name+"/pfring", func(t *testing.T) {
		for _, p := range c.validate(t) {
			if p.Rule == "verify-impossible" {
				// Nearly all values in auto mode have this one too.
				incidental = append(incidental, p.Rule)
				continue
			}
			rules = append(rules, p.Rule)
		}
	})
	if len(rules) == 0 {
		rules = incidental
	}
	slices.Sort(rules)
	if rules = slices.Compact(rules); len(rules) == 1 {
		return rules[0]
	}
	return ""
}
