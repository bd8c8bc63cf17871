package compatibility_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/compatibility"
	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// sample is a cluster with something of everything.
func sample(t *testing.T) compatibility.Report {
	t.Helper()
	var nodes []cluster.Node
	files, err := filepath.Glob("../cluster/testdata/nodes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded nodes: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		some, err := cluster.ReadNodes(text)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		nodes = append(nodes, some...)
	}
	left := linux("left-out", cluster.Generic)
	left.Excluded, left.LeftOut = true, "it lacks the label pool=capture"
	r := compatibility.Match(append(nodes, left), func(kernel, arch string) compatibility.Answer {
		if strings.Contains(kernel, "generic") {
			return lacks(kernel, arch)
		}
		return has(false)(kernel, arch)
	})
	r.Mode, r.Source, r.Verify = "auto", "https://modules.example.com/pf_ring", "signature"
	r.Warnings = []string{"the index expires on 2030-01-01: publish a new one"}
	r.Conclude()
	return r
}

func kmmSample() compatibility.Report {
	m := mappings(
		valuesschema.KernelMapping{Literal: kernel, ContainerImage: "registry.example.com/m:${KERNEL_FULL_VERSION}", Build: &valuesschema.Build{}},
		valuesschema.KernelMapping{Regexp: "aws$", ContainerImage: "registry.example.com/m:${KERNEL_XYZ}"})
	aws, other := linux("b", cluster.Generic), linux("c", cluster.Generic)
	aws.Kernel, other.Kernel = "5.15.0-1050-aws", "6.8.0-51-generic"
	r := compatibility.Match([]cluster.Node{linux("a", cluster.Generic), aws, other}, m.Lookup(context.Background(), nil))
	r.Mode = "kmm"
	r.Conclude()
	return r
}

func TestOutputsAreAsRecorded(t *testing.T) {
	reports := map[string]compatibility.Report{"auto": sample(t), "kmm": kmmSample()}
	for name, report := range reports {
		report.Where = webpage.Where{Cluster: "https://10.0.0.1:6443", Context: "lab", Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
		for _, format := range compatibility.Formats() {
			var out bytes.Buffer
			if err := report.Write(&out, format); err != nil {
				t.Fatal(err)
			}
			goldentest.File(t, filepath.Join("testdata", name+"."+format+".golden"), out.Bytes())
		}
	}
}

func TestMachineOutputIsOneDocumentThatSaysTheSame(t *testing.T) {
	report := sample(t)
	var asJSON, asYAML, asCSV bytes.Buffer
	for format, out := range map[string]*bytes.Buffer{"json": &asJSON, "yaml": &asYAML, "csv": &asCSV} {
		if err := report.Write(out, format); err != nil {
			t.Fatal(err)
		}
	}
	var fromJSON, fromYAML compatibility.Report
	dec := json.NewDecoder(&asJSON)
	if err := dec.Decode(&fromJSON); err != nil || dec.More() {
		t.Fatalf("no single JSON document: %v", err)
	}
	if err := yaml.UnmarshalStrict(asYAML.Bytes(), &fromYAML); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&asCSV).ReadAll()
	if err != nil || len(rows) != len(report.Nodes)+1 {
		t.Fatalf("%d rows of CSV, %v", len(rows), err)
	}
	for i, n := range report.Nodes {
		if fromJSON.Nodes[i] != n || fromYAML.Nodes[i] != n || rows[i+1][0] != n.Node || rows[i+1][2] != string(n.Supported) {
			t.Errorf("%s reads back as %+v, %+v, %q", n.Node, fromJSON.Nodes[i], fromYAML.Nodes[i], rows[i+1])
		}
	}
}

func TestThePageNeedsNothingElseAndEscapesWhatNodesSay(t *testing.T) {
	n := linux("n", cluster.Generic)
	n.OSImage = `<script>alert(1)</script>`
	r := compatibility.Match([]cluster.Node{n}, lacks)
	r.Conclude()
	var out bytes.Buffer
	if err := r.Write(&out, "html"); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, bad := range []string{"<script", "<link", "src=", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the node's own text is not there")
	}
}

func TestATableCannotSteerTheTerminal(t *testing.T) {
	n := linux("n", cluster.Generic)
	n.OSImage = "\x1b[31mred\u009b2J\tb\nc"
	var out bytes.Buffer
	if err := compatibility.Match([]cluster.Node{n}, has(false)).Write(&out, "wide"); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\u009b\t") || !strings.Contains(out.String(), "[31mred2J b c") {
		t.Errorf("%q", out.String())
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if err := (compatibility.Report{}).Write(&bytes.Buffer{}, "xml"); err == nil {
		t.Error("xml was written")
	}
}
