package rollout

import (
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Report is the state of a release.
type Report struct {
	SchemaVersion int    `json:"schemaVersion"`
	Release       string `json:"release"`
	Namespace     string `json:"namespace"`
	Mode          string `json:"mode"`
	// Complete is true when every wanted node has the module as the release asks
	// for it, and there is one.
	Complete bool    `json:"complete"`
	Summary  Summary `json:"summary"`
	// Module is what is to be said of KMM's Module as a whole.
	Module string `json:"module,omitempty"`
	// Preflights are KMM's answers for other kernels.
	Preflights []Preflight `json:"preflights,omitempty"`
	// Workers are Kubeshark's in the release's namespace.
	Workers  []Capture `json:"workers,omitempty"`
	Verdict  string    `json:"verdict"`
	Warnings []string  `json:"warnings,omitempty"`
	Nodes    []Node    `json:"nodes"`

	// Where says what the cluster is, for people.
	Where webpage.Where `json:"-"`

	now time.Time
}

// Summary counts nodes. All but Nodes and Wanted add up to Wanted.
type Summary struct {
	Nodes    int `json:"nodes"`
	Wanted   int `json:"wanted"`
	OK       int `json:"ok"`
	Fallback int `json:"fallback"`
	Failed   int `json:"failed"`
	Pending  int `json:"pending"`
	Unknown  int `json:"unknown"`
	// Outdated are those of OK that have another version or configuration.
	Outdated int `json:"outdated,omitempty"`
	// These three are of releases for which the cluster builds modules.
	Building    int `json:"building,omitempty"`
	BuildFailed int `json:"buildFailed,omitempty"`
	Unsupported int `json:"unsupported,omitempty"`
	// Reasons counts the nodes that should have the module and have not, by
	// reason code. Those without an outcome are in none.
	Reasons map[outcome.Reason]int `json:"reasons,omitempty"`
}

func (f *facts) report(now time.Time) *Report {
	r := &Report{
		SchemaVersion: 1, Release: f.release.Name, Namespace: f.release.Namespace, Mode: f.release.Mode,
		Nodes: f.judge(now), now: now,
	}
	if r.Nodes == nil {
		r.Nodes = []Node{}
	}
	r.conclude()
	return r
}

// conclude counts and comes to a verdict.
func (r *Report) conclude() {
	s := Summary{Nodes: len(r.Nodes)}
	for _, n := range r.Nodes {
		if !n.Wanted {
			continue
		}
		s.Wanted++
		switch n.State {
		case OK:
			s.OK++
			if n.Outdated {
				s.Outdated++
			}
			continue
		case Fallback:
			s.Fallback++
		case Failed:
			s.Failed++
		case Pending:
			s.Pending++
		case Building:
			s.Building++
		case BuildFailed:
			s.BuildFailed++
		case Unsupported:
			s.Unsupported++
		default:
			s.Unknown++
		}
		if n.Reason == "" {
			continue
		}
		if s.Reasons == nil {
			s.Reasons = map[outcome.Reason]int{}
		}
		s.Reasons[n.Reason]++
	}
	r.Summary = s
	// None of none is not success: mostly a selector that matches nothing.
	r.Complete = s.Wanted > 0 && s.OK == s.Wanted && s.Outdated == 0
	r.Verdict = s.verdict()
}

func (s Summary) verdict() string {
	if s.Wanted == 0 {
		return fmt.Sprintf("No node is selected: the release's node selector and tolerations match none of %d nodes", s.Nodes)
	}
	text := fmt.Sprintf("%d of %d nodes have PF_RING", s.OK, s.Wanted)
	if s.Outdated > 0 {
		text += fmt.Sprintf(", %d of them not as the release specifies", s.Outdated)
	}
	for _, part := range []struct {
		n    int
		what string
	}{{s.Building, "being built"}, {s.BuildFailed, "could not be built"}, {s.Unsupported, "not supported"}, {s.Fallback, "on libpcap"}, {s.Failed, "failing"}, {s.Pending, "pending"}, {s.Unknown, "unknown"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return text
}

// settled is true when no node's state will change by itself.
func (s Summary) settled() bool {
	return s.Wanted > 0 && s.OK+s.Fallback+s.BuildFailed+s.Unsupported == s.Wanted
}
