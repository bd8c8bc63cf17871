package licenses

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const root = "../../.."

// taken are licences that allow what we do: link, and hand out with the texts.
var taken = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"}

func TestTheListOfLicencesIsUpToDateAndHoldsNoSurprise(t *testing.T) {
	modules, err := Of(t.Context(), root, Programs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		for _, id := range m.Licenses {
			if !slices.Contains(taken, id) {
				t.Errorf("%s is under %s", m.Path, id)
			}
		}
	}
	written, err := os.ReadFile(root + "/docs/licenses.md")
	if err != nil || string(written) != Markdown(modules) {
		t.Errorf("docs/licenses.md is not up to date (%v): make licenses", err)
	}
}

func TestTheTextsNameEveryModuleAndStandOnce(t *testing.T) {
	modules, err := Of(t.Context(), root, "./cmd/pfring-agent")
	if err != nil {
		t.Fatal(err)
	}
	texts := Texts(modules)
	for _, m := range modules {
		if !strings.Contains(texts, "\n"+strings.TrimSpace(m.Path+" "+m.Version)+": ") {
			t.Errorf("%s is missing", m.Path)
		}
		if strings.Contains(m.Path, "helm") || strings.Contains(m.Path, "client-go") {
			t.Errorf("the agent links %s", m.Path)
		}
	}
	same := Texts([]Module{
		{Path: "a", Version: "v1", Files: []File{{"LICENSE", "same"}}}, {Path: "b", Version: "v2", Files: []File{{"COPYING", "same"}}},
	})
	if strings.Count(same, "same") != 1 || !strings.Contains(same, "a v1: LICENSE\nb v2: COPYING\n") {
		t.Error(same)
	}
}

func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                                        "Apache-2.0",
		"Permission is hereby granted, free of charge,\nto any person obtaining a copy":                                       "MIT",
		"Redistributions in binary form must\n * Neither the name of X":                                                       "BSD-3-Clause",
		"Redistributions in binary form must reproduce":                                                                       "BSD-2-Clause",
		"redistribution in binary form; My name, A B, may not be used":                                                        "BSD-3-Clause",
		"Permission to use, copy, modify, and distribute this software for any purpose with or without fee is hereby granted": "ISC",
		"Mozilla Public License Version 2.0\n====":                                                                            "MPL-2.0",
		"GNU GENERAL PUBLIC LICENSE":                                                                                          "",
	} {
		if got := strings.Join(identify(text), " "); got != want {
			t.Errorf("%q is %q, not %q", text, got, want)
		}
	}
}
