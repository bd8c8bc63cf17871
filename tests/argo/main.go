// Command argo says what Argo CD would say of objects: whether they are healthy,
// whether the live one differs from the one in Git, and whether it is a hook. It
// reads a JSON list of {"wanted": …, "live": …} from stdin and writes a list of answers.
// `argo sync` applies objects to a cluster as Argo CD does.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/argoproj/gitops-engine/pkg/diff"
	"github.com/argoproj/gitops-engine/pkg/health"
	"github.com/argoproj/gitops-engine/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type question struct {
	Wanted *unstructured.Unstructured `json:"wanted"`
	Live   *unstructured.Unstructured `json:"live"`
}

type answer struct {
	Health, Message string
	Differs, Hook   bool
}

func main() {
	do := run
	if len(os.Args) > 1 && os.Args[1] == "sync" {
		do = func(in io.Reader, out io.Writer) error { return synchronize(context.Background(), in, out) }
	}
	if err := do(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "argo:", err)
		os.Exit(2)
	}
}

func run(in io.Reader, out io.Writer) error {
	var questions []question
	if err := json.NewDecoder(in).Decode(&questions); err != nil {
		return fmt.Errorf("cannot read the questions: %w", err)
	}
	answers := make([]answer, len(questions))
	for i, q := range questions {
		a := &answers[i]
		a.Hook = q.Wanted != nil && hook.IsHook(q.Wanted)
		if q.Live != nil {
			status, err := health.GetResourceHealth(q.Live, nil)
			if err != nil {
				return fmt.Errorf("cannot judge %s: %w", q.Live.GetName(), err)
			}
			if status != nil {
				a.Health, a.Message = string(status.Status), status.Message
			}
		}
		if q.Live != nil && q.Wanted != nil {
			result, err := diff.Diff(q.Wanted, q.Live)
			if err != nil {
				return fmt.Errorf("cannot compare %s: %w", q.Wanted.GetName(), err)
			}
			a.Differs = result.Modified
		}
	}
	return json.NewEncoder(out).Encode(answers)
}
