package explain_test

import (
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/explain"
	"github.com/kubeshark/kubeshark-pfring/internal/prereq"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// names are those that commands show, by kind.
func names(t *testing.T) map[string][]string {
	t.Helper()
	list := map[string][]string{}
	for _, r := range outcome.Reasons() {
		list["reason"] = append(list["reason"], string(r.Reason))
	}
	for _, c := range prereq.Checks() {
		list["check"] = append(list["check"], c.ID)
	}
	keys, err := valuesschema.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		list["value"] = append(list["value"], k.Path)
	}
	list["rule"] = []string{"regexp-loose", "unknown-key", "yaml-duplicate-key"}
	return list
}

// Whatever a command names is explained.
func TestEveryNameIsExplained(t *testing.T) {
	for kind, list := range names(t) {
		if len(list) == 0 {
			t.Errorf("no %s", kind)
		}
		for _, name := range list {
			found, err := explain.Find(name)
			if err != nil {
				t.Errorf("%s %s: %v", kind, name, err)
				continue
			}
			has := false
			for _, topic := range found {
				has = has || topic.Kind == kind
				if len(topic.Markdown) < len(name)+10 {
					t.Errorf("%s: nothing is reported: %q", name, topic.Markdown)
				}
			}
			if !has {
				t.Errorf("%s is explained as %v, not as a %s", name, found, kind)
			}
		}
	}
}

func TestNamesAreFoundAsPeopleTypeThem(t *testing.T) {
	for typed, want := range map[string]string{
		"source.verify": "tap.kernelModule.source.verify", "`kmm.module`": "kmm.module", "No-Module-For-Kernel": "no-module-for-kernel",
		"kernelMappings.literal": "tap.kernelModule.kernelMappings[].literal", "kernelMappings[0].literal": "tap.kernelModule.kernelMappings[].literal",
		"api-unreachable": "api-unreachable", "image-missing": "image-missing",
	} {
		found, err := explain.Find(typed)
		if err != nil || found[0].Name != want {
			t.Errorf("%s: %v, %v", typed, found, err)
		}
	}
	_, err := explain.Find("no-modul-for-kernel")
	if err == nil || !strings.Contains(err.Error(), `did you mean "no-module-for-kernel"?`) {
		t.Error(err)
	}
	if _, err := explain.Find("zzzzzzzzzz"); err == nil || !strings.Contains(err.Error(), "unknown name") {
		t.Error(err)
	}
}
