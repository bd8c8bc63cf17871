package valuesschema_test

import (
	"strings"
	"testing"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// A values file from somewhere else must not steer the terminal, nor fake lines
// of the report.
func TestTextOfValuesCannotSteerTheTerminal(t *testing.T) {
	found := problemsOf(t, `tap: {kernelModule: {mode: kmm, "a\e[31m\nb": 1, image: "x\e]0;title\a\ny", imageRepoSecret: "\u202Ex"}}`)
	if len(found) < 3 {
		t.Fatalf("got %s", describe(found))
	}
	for _, p := range found {
		if text := p.String(); strings.ContainsAny(text, "\x1b\a\u202e") || strings.Count(text, "\n") > 1 {
			t.Errorf("%q", text)
		}
	}
}

func TestOriginIsWrittenAsEditorsReadIt(t *testing.T) {
	for want, o := range map[string]valuesschema.Origin{
		"a.yaml:3:5": {File: "a.yaml", Line: 3, Column: 5},
		"a.yaml":     {File: "a.yaml"},
		"--set a=b":  {Arg: "--set a=b"},
		"":           {},
	} {
		if got := o.String(); got != want {
			t.Errorf("%#v is written %q, want %q", o, got, want)
		}
	}
}
