package prereq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/text"
	"github.com/kubeshark/kubeshark-pfring/internal/wait"
)

// settleInterval is the time between two looks at a check that settles.
const settleInterval = 2 * time.Second

// Run makes the checks one after the other and hands each finding to tell, if
// that is not nil, as soon as it is there. It ends early when ctx does; what
// was not reached is then skipped.
func Run(ctx context.Context, o Options, tell func(Finding)) (*Report, error) {
	checks, err := o.choose(Checks())
	if err != nil {
		return nil, err
	}
	start := time.Now()
	e := newEnv(o)
	report := &Report{SchemaVersion: 1, Server: o.Config.Host, Modes: o.modes(), Findings: make([]Finding, 0, len(checks))}
	done := map[string]Result{}
	deadline := start.Add(o.Wait)
	for _, c := range checks {
		if o.Starting != nil && !report.Unreachable {
			o.Starting(c)
		}
		f := perform(ctx, e, c, done, deadline)
		done[c.ID] = f.Result
		if c.ID == reachable && f.Result == Error {
			report.Unreachable = true
		}
		report.add(f)
		if tell != nil {
			tell(f)
		}
	}
	report.conclude()
	report.DurationMS = time.Since(start).Milliseconds()
	return report, nil
}

// perform makes one check, again until the deadline if it may settle.
func perform(ctx context.Context, e *env, c Check, done map[string]Result, deadline time.Time) Finding {
	start := time.Now()
	f := attempt(ctx, e, c, done)
	for c.Settles && f.Result == Error && time.Now().Before(deadline) && ctx.Err() == nil {
		if wait.For(ctx, min(settleInterval, time.Until(deadline))) != nil {
			break
		}
		e.forget()
		f = attempt(ctx, e, c, done)
	}
	f.ID, f.Category, f.Title, f.Mode = c.ID, c.Category(), c.Title, c.Mode
	if f.Result != OK {
		f.Link = c.link()
	}
	if f.Result == Error || f.Result == Warning {
		f.Why = c.Why
	}
	f.DurationMS = time.Since(start).Milliseconds()
	return f
}

// reachable is the check without which no other can be made: also what is asked
// elsewhere, such as a repository, is asked for the nodes of the cluster.
const reachable = "api.reachable"

func attempt(ctx context.Context, e *env, c Check, done map[string]Result) Finding {
	if ctx.Err() != nil {
		return skip("interrupted before it was checked")
	}
	if done[reachable] == Error && c.ID != reachable {
		return skip("depends on " + reachable)
	}
	for _, id := range c.Needs {
		// A check that was left out by --only or --skip is taken as passed.
		if r, made := done[id]; made && (r == Error || r == Skipped) {
			return skip("depends on " + root(id, done))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.limit, checkTimeout))
	defer cancel()
	return c.look(ctx, e)
}

// root is the check that failed first of those that id depends on.
func root(id string, done map[string]Result) string {
	if done[id] == Error {
		return id
	}
	for _, c := range Checks() {
		if c.ID != id {
			continue
		}
		for _, need := range c.Needs {
			if done[need] == Error || done[need] == Skipped {
				return root(need, done)
			}
		}
	}
	return id
}

// choose leaves out the checks that are not asked for. A name that is none is
// an error, since a misspelt --only would otherwise check nothing.
func (o Options) choose(all []Check) ([]Check, error) {
	for _, pattern := range slices.Concat(o.Only, o.Skip) {
		if !slices.ContainsFunc(all, func(c Check) bool { return named(pattern, c.ID) }) {
			return nil, fmt.Errorf("unknown check or category %q. Run: pfring prereq list", pattern)
		}
	}
	var chosen []Check
	for _, c := range all {
		wanted := len(o.Only) == 0 || slices.ContainsFunc(o.Only, func(p string) bool { return named(p, c.ID) })
		unwanted := slices.ContainsFunc(o.Skip, func(p string) bool { return named(p, c.ID) })
		if c.probing && o.Probe == nil && len(o.Only) == 0 {
			continue
		}
		asked := slices.Contains(o.Only, c.ID) || len(o.Only) > 0 && strings.HasPrefix(c.ID, "supply.")
		if c.supplying && !o.supplied() && !asked {
			continue
		}
		if wanted && !unwanted && (c.Mode == "" || slices.Contains(o.modes(), c.Mode)) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, o.noneChosen(all)
	}
	return chosen, nil
}

// noneChosen says why nothing is left to check.
func (o Options) noneChosen(all []Check) error {
	var other []string
	for _, c := range all {
		wanted := slices.ContainsFunc(o.Only, func(p string) bool { return named(p, c.ID) })
		if wanted && c.Mode != "" && !slices.Contains(o.modes(), c.Mode) && !slices.Contains(other, c.Mode) {
			other = append(other, c.Mode)
		}
	}
	if len(other) == 1 {
		return fmt.Errorf("--only %s names checks of mode %s alone, and mode %s is checked: give --mode %s or --mode both",
			strings.Join(o.Only, ","), other[0], strings.Join(o.modes(), " and "), other[0])
	}
	return errors.New("--only and --skip leave nothing to check; pfring prereq list shows the checks")
}

// named tells whether a pattern, an id or a category, means a check.
func named(pattern, id string) bool { return pattern == id || pattern == category(id) }

func category(id string) string {
	name, _, _ := strings.Cut(id, ".")
	return name
}

// anchor is the docs' heading of a check, as GitHub writes it into links.
func anchor(id string) string { return strings.ReplaceAll(id, ".", "") }

// Failing is the report with warnings and errors alone. Its counts are those of all.
func (r *Report) Failing() *Report {
	few := *r
	few.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Result == OK || f.Result == Skipped })
	return &few
}

func (r *Report) add(f Finding) {
	switch f.Result {
	case Error:
		r.Errors++
	case Warning:
		r.Warnings++
	case Skipped:
		r.Skipped++
	}
	r.Findings = append(r.Findings, f)
}

// conclude sums up. Nothing looked at is not success.
func (r *Report) conclude() {
	r.OK = r.Errors == 0 && r.Skipped < len(r.Findings)
	switch {
	case r.Unreachable:
		r.Verdict = fmt.Sprintf("not checked: the API server does not answer; %s skipped, which depend on %s", text.Count(r.Skipped, "check"), reachable)
		return
	case r.Errors > 0:
		r.Verdict = fmt.Sprintf("not ready: %s, %s", text.Count(r.Errors, "error"), text.Count(r.Warnings, "warning"))
	case !r.OK:
		r.Verdict = "nothing was checked"
	case r.Warnings > 0:
		r.Verdict = "ready, with " + text.Count(r.Warnings, "warning")
	default:
		r.Verdict = "ready"
	}
	if r.Skipped > 0 && r.OK || r.Errors > 0 && r.Skipped > 0 {
		r.Verdict += fmt.Sprintf("; %d skipped", r.Skipped)
	}
}
