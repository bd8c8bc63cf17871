package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const output = `goos: linux
BenchmarkAgainstKubectl/nodes=5000-2         	       1	57400000 ns/op	         0.74 pfring-s	         0.1 time-ratio
BenchmarkThousandAgents/SlowDown_above_300_a_second-2  1  2 ns/op  14.7 last-s
BenchmarkSizes-2	1	0.5 ns/op	55.5 pfring-amd64-MB
PASS
`

func TestParseReadsCasesAndUnits(t *testing.T) {
	m := parse(output)
	for _, want := range []struct {
		name, unit string
		value      float64
	}{
		{"nodes=5000", "time-ratio", 0.1}, {"nodes=5000", "pfring-s", 0.74},
		{"SlowDown_above_300_a_second", "last-s", 14.7}, {"", "pfring-amd64-MB", 55.5},
	} {
		if got := m[want.name][want.unit]; got != want.value {
			t.Errorf("%s %s: %v, want %v", want.name, want.unit, got, want.value)
		}
	}
	if len(m) != 3 {
		t.Error(m)
	}
}

func TestTheTableSaysWhatWasMissedAndWhatDidNotRun(t *testing.T) {
	r := row{Name: "sizes", Benchmark: "BenchmarkSizes", Figures: []figure{
		{"", "pfring-amd64-MB", "pfring", "", 42}, {"", "agent-amd64-MB", "agent", "", 8}, {"", "pfring-amd64-MB", "again", "", 60},
	}}
	var table Table
	table.add(r, parse(output), nil)
	text := table.Text()
	for _, want := range []string{"missed", `not run: BenchmarkSizes reports no "agent-amd64-MB"`, "met"} {
		if !strings.Contains(text, want) || !strings.Contains(table.Markdown(), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

func TestAnUnknownRowIsRefusedWithTheNamesThereAre(t *testing.T) {
	if _, err := choose(rows(), "rendr"); err == nil || !strings.Contains(err.Error(), "render") {
		t.Error(err)
	}
	if got, err := choose(rows(), "render"); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

// A row whose benchmark is gone would be "not run" for good, and a loop that does
// nothing has no end: what go test counts up to is bounded by time alone.
func TestEachRowsBenchmarkIsThereAndItsLoopsDoSomething(t *testing.T) {
	for _, r := range rows() {
		files, err := filepath.Glob(filepath.Join("..", "..", r.Package, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					found = found || n.Name.Name == r.Benchmark
				case *ast.ForStmt:
					if isLoop(n.Cond) && !calls(n.Body) {
						t.Errorf("%s: a b.Loop() without a call in it runs hundreds of millions of rounds", file)
					}
				}
				return true
			})
		}
		if !found {
			t.Errorf("there is no %s in %s", r.Benchmark, r.Package)
		}
	}
}

func isLoop(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	s, ok := call.Fun.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Loop"
}

func calls(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		_, call := n.(*ast.CallExpr)
		found = found || call
		return true
	})
	return found
}

func TestThePageGetsItsTableAndKeepsItsText(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(page, []byte("before\n"+tableBegins+"old\n"+tableEnds+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	value := 3.0
	table := Table{Lines: []Line{{What: "start", Value: &value, Aim: 9, Met: true}}}
	for range 2 {
		if err := table.writeInto(page); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"before\n", "| start |  | 3 | ≤ 9 | met |", "\nafter\n"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("%q is not there once in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") {
		t.Error("the old table is still there")
	}
}
