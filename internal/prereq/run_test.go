package prereq

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/goldentest"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

func looks(f Finding) func(context.Context, *env) Finding {
	return func(context.Context, *env) Finding { return f }
}

// chain is a category in which each check needs the one before it.
func chain(results ...Finding) []Check {
	var checks []Check
	for i, f := range results {
		c := Check{ID: "chain." + string(rune('a'+i)), Title: "it holds", Why: "it matters", look: looks(f)}
		if i > 0 {
			c.Needs = []string{checks[i-1].ID}
		}
		checks = append(checks, c)
	}
	return checks
}

func run(t *testing.T, checks []Check) *Report {
	t.Helper()
	e := newEnv(Options{Config: &rest.Config{Host: "https://cluster.example"}})
	r := &Report{SchemaVersion: 1, Server: "https://cluster.example", Modes: []string{ModeAuto}}
	done := map[string]Result{}
	for _, c := range checks {
		f := perform(t.Context(), e, c, done, time.Now())
		f.DurationMS = 1200 // a time of its own would make every golden differ
		done[c.ID] = f.Result
		r.add(f)
	}
	r.conclude()
	return r
}

func results(r *Report) string {
	var list []string
	for _, f := range r.Findings {
		list = append(list, string(f.Result))
	}
	return strings.Join(list, " ")
}

func TestACheckThatMeansNothingAfterAFailedOneIsSkipped(t *testing.T) {
	for name, test := range map[string]struct {
		found []Finding
		want  string
	}{
		"all is well":               {[]Finding{ok("a"), ok("b"), ok("c")}, "ok ok ok"},
		"a warning does not matter": {[]Finding{warn("r", "o", "d"), ok("b")}, "warning ok"},
		"an error does":             {[]Finding{fail("r", "o", "d"), ok("b"), ok("c")}, "error skipped skipped"},
		"so does what was skipped":  {[]Finding{skip("not here"), ok("b")}, "skipped skipped"},
	} {
		if got := results(run(t, chain(test.found...))); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestTheVerdictIsNoOnlyForErrorsAndForNothing(t *testing.T) {
	for want, found := range map[string][]Finding{
		"ready":                 {ok("a")},
		"ready, with 1 warning": {warn("r", "o", "d"), ok("b")},
		"not ready: 1 error, 0 warnings; 1 skipped": {fail("r", "o", "d"), ok("b")},
		"nothing was checked":                       {skip("not here")},
	} {
		r := run(t, chain(found...))
		if r.Verdict != want || r.OK != strings.HasPrefix(want, "ready") {
			t.Errorf("%v: %q, want %q", r.OK, r.Verdict, want)
		}
	}
}

func TestACheckThatSettlesIsMadeAgainWithAFreshSnapshot(t *testing.T) {
	seen := 0
	c := Check{ID: "x.y", Settles: true, look: func(_ context.Context, e *env) Finding {
		n, err := fact(e, "number", func() (int, error) { seen++; return seen, nil })
		if err != nil || n < 2 {
			return fail("starting", "not yet", "wait")
		}
		return ok("now")
	}}
	e := newEnv(Options{})
	if f := perform(t.Context(), e, c, nil, time.Now()); f.Result != Error {
		t.Errorf("without waiting: %+v", f)
	}
	if f := perform(t.Context(), newEnv(Options{}), Check{ID: c.ID, look: c.look}, nil, time.Now().Add(time.Hour)); f.Result != OK {
		// seen is 1 from the first look, so the second sees 2.
		t.Errorf("%+v", f)
	}
	seen = 0
	if f := perform(t.Context(), newEnv(Options{}), c, nil, time.Now().Add(time.Hour)); f.Result != OK || seen != 2 {
		t.Errorf("with waiting: %+v after %d looks", f, seen)
	}
}

func TestWhatWasNotReachedWhenInterruptedIsSkipped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := perform(ctx, newEnv(Options{}), Check{ID: "x.y", Settles: true, look: looks(ok("never seen"))}, nil, time.Now().Add(time.Hour))
	if f.Result != Skipped || !strings.Contains(f.Observed, "interrupted") {
		t.Errorf("%+v", f)
	}
}

func TestOnlyAndSkipTakeIdsAndCategories(t *testing.T) {
	all := []Check{{ID: "a.x"}, {ID: "a.y"}, {ID: "b.x", Mode: ModeKMM}}
	both := []Target{{Mode: ModeAuto}, {Mode: ModeKMM}}
	for name, test := range map[string]struct {
		o    Options
		want string
	}{
		"all of both modes":   {Options{Targets: both}, "a.x a.y b.x"},
		"all of one mode":     {Options{Targets: both[:1]}, "a.x a.y"},
		"a category":          {Options{Targets: both, Only: []string{"a"}}, "a.x a.y"},
		"an id":               {Options{Targets: both, Only: []string{"a.y"}}, "a.y"},
		"not a category":      {Options{Targets: both, Skip: []string{"a"}}, "b.x"},
		"skip wins":           {Options{Targets: both, Only: []string{"a"}, Skip: []string{"a.x"}}, "a.y"},
		"no prefix of a word": {Options{Targets: both, Only: []string{"b"}}, "b.x"},
	} {
		chosen, err := test.o.choose(all)
		var ids []string
		for _, c := range chosen {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); err != nil || got != test.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := (Options{Only: []string{"a.z"}}).choose(all); err == nil || !strings.Contains(err.Error(), `"a.z"`) {
		t.Errorf("a misspelt id: %v", err)
	}
}

func report(t *testing.T) *Report {
	list := chain(ok("it answers"), warn("odd", "3 nodes are odd", "Fix them.", "n1 is odd", "n2 \x1b[31mis\nodd"), fail("bad", "it does <not> work", "Do it."), ok("unseen"))
	r := run(t, append(list, Check{ID: "other.z", Title: "it works", look: looks(ok("yes"))}))
	r.Where = webpage.Where{Cluster: "https://10.0.0.1:6443", Context: "lab", Namespace: "kubeshark", Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	return r
}

func TestReportsInEachFormat(t *testing.T) {
	for _, format := range Formats() {
		var b bytes.Buffer
		if err := report(t).Write(&b, format); err != nil {
			t.Fatal(err)
		}
		goldentest.File(t, filepath.Join("testdata", format+".golden"), b.Bytes())
	}
	var b bytes.Buffer
	p := Printer{W: &b, Terminal: true}
	p.Starting(Check{ID: "chain.a"})
	for _, f := range report(t).Findings {
		if err := p.Finding(f); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Verdict(report(t)); err != nil {
		t.Fatal(err)
	}
	goldentest.File(t, filepath.Join("testdata", "terminal.golden"), b.Bytes())
	if err := report(t).Write(&b, "xml"); err == nil {
		t.Error("a format that is none was taken")
	}
}

func TestMachineFormatsAreOneDocument(t *testing.T) {
	var b bytes.Buffer
	if err := report(t).Write(&b, "json"); err != nil {
		t.Fatal(err)
	}
	var read Report
	if err := json.Unmarshal(b.Bytes(), &read); err != nil || len(read.Findings) != 5 || read.Errors != 1 {
		t.Errorf("%+v, %v", read, err)
	}
	b.Reset()
	if err := report(t).Write(&b, "junit"); err != nil {
		t.Fatal(err)
	}
	var suite junitSuite
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil || suite.Failures != 1 || suite.Skipped != 1 || len(suite.Cases) != 5 {
		t.Errorf("%+v, %v", suite, err)
	}
}

func TestEveryCheckIsDescribed(t *testing.T) {
	id := regexp.MustCompile(`^[a-z]+(-[a-z]+)*\.[a-z]+(-[a-z]+)*$`)
	var seen []string
	for _, c := range Checks() {
		switch {
		case !id.MatchString(c.ID):
			t.Errorf("%s is not category.name in kebab-case", c.ID)
		case slices.Contains(seen, c.ID):
			t.Errorf("%s is there twice", c.ID)
		case c.Title == "" || c.Why == "" || c.look == nil:
			t.Errorf("%s lacks a title, a reason or a look", c.ID)
		case c.Mode != "" && c.Mode != ModeAuto && c.Mode != ModeKMM:
			t.Errorf("%s is for mode %q", c.ID, c.Mode)
		}
		for _, need := range c.Needs {
			if !slices.Contains(seen, need) {
				t.Errorf("%s needs %s, which does not come before it", c.ID, need)
			}
		}
		seen = append(seen, c.ID)
	}
}
