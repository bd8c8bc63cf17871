// Package goldentest compares what a test gets with files that the flag -update writes
// again. Only tests import it.
package goldentest

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write the files again that tests compare with")

// Update tells whether files are to be written again, for tests that compare them in
// their own way.
func Update() bool { return *update }

// File compares got with the file at path.
func File(t testing.TB, path string, got []byte) {
	t.Helper()
	if *update {
		write(t, path, got)
		return
	}
	if want := read(t, path); !bytes.Equal(got, want) {
		t.Errorf("%s differs; run go test with -update and look at the diff. Now it is:\n%s", path, got)
	}
}

// Section compares got with what the page at path has after the line begin and before
// the mark end.
func Section(t testing.TB, path, begin, end string, got []byte) {
	t.Helper()
	page := read(t, path)
	before, rest, ok := bytes.Cut(page, []byte(begin))
	section, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		t.Fatalf("%s has lost its marks %q and %q", path, begin, end)
	}
	if bytes.Equal(got, section) {
		return
	}
	if !*update {
		t.Fatalf("%s is not what the code says; run go test with -update", path)
	}
	write(t, path, bytes.Join([][]byte{before, []byte(begin), got, []byte(end), after}, nil))
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
