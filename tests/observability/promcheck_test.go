// Package observability_test runs the alerting rules and the dashboard's queries
// of the chart in Prometheus' own engine, on what the agent's own code answers
// at /metrics.
package observability_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

// The forms of tests/promcheck.
type (
	input struct {
		Rules   string            `json:"rules"`
		Queries map[string]string `json:"queries"`
		Scrapes []scrape          `json:"scrapes"`
		Start   int64             `json:"start"`
		Minutes int               `json:"minutes"`
	}
	scrape struct {
		Minute int               `json:"minute"`
		Labels map[string]string `json:"labels"`
		Text   string            `json:"text"`
	}
	output struct {
		Alerts []struct {
			Name        string
			Labels      map[string]string
			Annotations map[string]string
		}
		Names   []string
		Results map[string][]struct {
			Labels map[string]string
			Value  float64
		}
		Metrics map[string][]string
	}
)

func prometheus(t *testing.T, in input) output {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: builds Prometheus' engine from tests/promcheck; run without -short")
	}
	program, err := toolbin.PromCheck()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Stdin = bytes.NewReader(text)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var out output
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func readDoc(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/observability.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
