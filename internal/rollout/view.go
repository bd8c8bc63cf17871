package rollout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/text"
)

// Select leaves out of all reports the nodes that do not have these labels.
func (r *Release) Select(nodes labels.Selector) { r.nodes = nodes }

// selects tells whether a node is reported on. Of one that cannot be seen nobody
// knows the labels.
func (r *Release) selects(t *target) bool {
	return r.nodes == nil || r.nodes.Empty() || t != nil && r.nodes.Matches(labels.Set(t.labels))
}

// healthy tells whether nothing has to be done for a node.
func (n Node) healthy() bool { return !n.Wanted || n.State == OK && !n.Outdated }

// Failing is the report with those nodes alone that should have the module as the
// release asks for it, and have not. Its counts are those of all nodes.
func (r *Report) Failing() *Report {
	few := *r
	few.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes), Node.healthy)
	return &few
}

// All finds the releases of all namespaces, those of one name if it is not "".
func (c *Client) All(ctx context.Context, name string) ([]*Release, error) {
	var all []*Release
	_, err := cluster.Pages(ctx, "daemonsets.apps", metav1.ListOptions{LabelSelector: agents}, c.apps.DaemonSets("").List,
		func() { all = nil }, func(page *appsv1.DaemonSetList) {
			for _, ds := range ofRelease(page.Items, name) {
				all = append(all, releaseOf(&ds))
			}
		})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no release of %s in any namespace; install it with helm", errNotInstalled, chartName)
	}
	slices.SortFunc(all, func(a, b *Release) int { return text.Natural(a.Namespace+" "+a.Name, b.Namespace+" "+b.Name) })
	return all, nil
}

// Reports are those of several releases.
type Reports struct {
	SchemaVersion int `json:"schemaVersion"`
	// Complete is true when all of them are.
	Complete bool      `json:"complete"`
	Releases []*Report `json:"releases"`
}

// Add takes another report in.
func (l *Reports) Add(r *Report) {
	l.Complete = r.Complete && (l.Complete || len(l.Releases) == 0)
	l.Releases = append(l.Releases, r)
}

// Failing are the reports that are not complete, with the nodes that keep them from
// it.
func (l *Reports) Failing() *Reports {
	few := &Reports{SchemaVersion: l.SchemaVersion, Complete: l.Complete, Releases: []*Report{}}
	for _, r := range l.Releases {
		if !r.Complete {
			few.Releases = append(few.Releases, r.Failing())
		}
	}
	return few
}

// Write prints the reports in one of Formats, but html: a line for each release.
func (l *Reports) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		return printout.JSON(w, l)
	case "yaml":
		return printout.YAML(w, l)
	case "table", "wide":
	default:
		return fmt.Errorf("%q is not a format for several releases", format)
	}
	rows := [][]string{{"Namespace", "Release", "Mode", "Nodes", "PF_RING", "Status"}}
	complete := 0
	for _, r := range l.Releases {
		if r.Complete {
			complete++
		}
		rows = append(rows, []string{r.Namespace, r.Release, r.Mode, fmt.Sprint(r.Summary.Wanted), fmt.Sprint(r.Summary.OK), r.Verdict})
	}
	var b strings.Builder
	width := printout.Width(w)
	if format == "wide" {
		width = 0
	}
	printout.TableIn(&b, rows, width)
	fmt.Fprintf(&b, "\n%d of %s complete\n", complete, text.Count(len(l.Releases), "release"))
	_, err := io.WriteString(w, b.String())
	return err
}
