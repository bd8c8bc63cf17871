package main

import (
	"os"
	"testing"
)

func TestEachChangeOfTheListApplies(t *testing.T) {
	t.Chdir("../..")
	mutants, err := read("hack/mutants/mutants.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range byPackage(mutants, "") {
		if len(p.mutants) < 3 {
			t.Errorf("%s has %d changes: too few for a percentage", p.dir, len(p.mutants))
		}
	}
}

func TestAChangeOfTextThatOccursTwiceIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("twice.go", []byte("a && b; a && b"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := mutant{File: "twice.go", Old: "a && b", New: "a"}
	if _, err := m.apply(); err == nil {
		t.Error("applied a change of text that occurs twice")
	}
}
