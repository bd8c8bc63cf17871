// Package prereq checks a live cluster before the module is put on it: small
// checks in categories, each with an id that is never renamed, what was seen,
// why it matters and what to do. A check that makes no sense after a failed one
// is skipped and says so.
//
// Checks read; they never change the cluster. What has to be tried is tried by
// a dry run. Only the probe, which is asked for by name, makes Jobs, and removes
// them.
// Rolling out and its result are left to package rollout.
package prereq

import (
	"context"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
	"time"
)

// Result is what a check came to.
type Result string

// The results. Warning does not stand in the way; Skipped was not looked at.
const (
	OK      Result = "ok"
	Warning Result = "warning"
	Error   Result = "error"
	Skipped Result = "skipped"
)

// Modes of tap.kernelModule.mode.
const (
	ModeAuto = "auto"
	ModeKMM  = "kmm"
)

// Docs is the page with a section for each check.
const Docs = webpage.Web + "docs/checks.md"

// Check is one thing that is looked at.
type Check struct {
	// ID is category.name in kebab-case.
	ID string
	// Title says in a few words what holds when the check is ok.
	Title string
	// Why says why it matters.
	Why string
	// Mode is the one that the check is for, or "" for both.
	Mode string
	// Needs are the checks without which this one makes no sense: if one of them
	// is an error or was skipped, this one is skipped.
	Needs []string
	// Settles says that the check may recover with time, such as a webhook
	// that is just starting.
	Settles bool

	// probing says that the check is about what --probe saw; without it, it is
	// made only when asked for by name.
	probing bool
	// supplying says that the check is about modules that the cluster builds; where
	// it builds none, it is made only when asked for by name.
	supplying bool
	// limit bounds the check where it is not checkTimeout.
	limit time.Duration
	look  func(context.Context, *env) Finding
}

// Category is the part of the id before the dot.
func (c Check) Category() string { return category(c.ID) }

// link is the check's section of the docs.
func (c Check) link() string { return Docs + "#" + anchor(c.ID) }

// Finding is what a check found.
type Finding struct {
	ID       string `json:"id"`
	Category string `json:"category"`
	Title    string `json:"title"`
	Mode     string `json:"mode,omitempty"`
	Result   Result `json:"result"`
	// Reason is a stable code for what is wrong, in kebab-case.
	Reason string `json:"reason,omitempty"`
	// Observed is what was seen, in a sentence or two.
	Observed string `json:"observed"`
	// Details are the nodes, kernels or objects that it was seen on.
	Details []string `json:"details,omitempty"`
	// Why, Remedy and Link are there unless the check is ok.
	Why        string `json:"why,omitempty"`
	Remedy     string `json:"remedy,omitempty"`
	Link       string `json:"link,omitempty"`
	DurationMS int64  `json:"durationMs"`
}

// Report is all findings, in the order of Checks.
type Report struct {
	SchemaVersion int `json:"schemaVersion"`
	// OK is true when nothing stands in the way.
	OK       bool      `json:"ok"`
	Verdict  string    `json:"verdict"`
	Server   string    `json:"server"`
	Modes    []string  `json:"modes"`
	Errors   int       `json:"errors"`
	Warnings int       `json:"warnings"`
	Skipped  int       `json:"skipped"`
	Findings []Finding `json:"checks"`
	// Unreachable is true when the API server did not answer, so that nothing could
	// be checked.
	Unreachable bool `json:"unreachable,omitempty"`
	// DurationMS is how long all of it took, in milliseconds.
	DurationMS int64 `json:"durationMs"`
	// Where says what the cluster is, for people.
	Where webpage.Where `json:"-"`
}

// Checks lists every check, in the order in which they are made.
func Checks() []Check {
	var all []Check
	for _, list := range [][]Check{
		apiChecks(), permissionChecks(), nodeChecks(), namespaceChecks(), referenceChecks(), autoChecks(), supplyChecks(),
		certManagerChecks(), kmmChecks(), mappingChecks(), probeChecks(),
	} {
		all = append(all, list...)
	}
	return all
}

// ok, warn, fail and skip make findings; Run fills in the rest.
func ok(observed string, details ...string) Finding {
	return Finding{Result: OK, Observed: observed, Details: details}
}

func warn(reason, observed, remedy string, details ...string) Finding {
	return Finding{Result: Warning, Reason: reason, Observed: observed, Remedy: remedy, Details: details}
}

func fail(reason, observed, remedy string, details ...string) Finding {
	return Finding{Result: Error, Reason: reason, Observed: observed, Remedy: remedy, Details: details}
}

func skip(observed string) Finding { return Finding{Result: Skipped, Observed: observed} }

// checkTimeout bounds a single check, so that one server that hangs does not
// hide what the others say.
const checkTimeout = 30 * time.Second
