package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
)

// Every file testdata/NAME.values.yaml renders to testdata/NAME.golden.yaml.
func TestChartRendersGoldenManifests(t *testing.T) {
	for _, input := range valuesFiles(t) {
		name := strings.TrimSuffix(filepath.Base(input), ".values.yaml")
		t.Run(name, func(t *testing.T) {
			got := render(t, readFile(t, input))
			parse(t, got)
			goldentest.File(t, filepath.Join("testdata", name+".golden.yaml"), []byte(got))
		})
	}
}

func valuesFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test values: %v", err)
	}
	return files
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
