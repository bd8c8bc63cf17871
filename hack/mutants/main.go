// Command mutants measures how well each package's own tests protect its code: it makes
// each change of a fixed list, one at a time, and counts those that a test
// notices. Nothing is written into the tree: a changed file goes to the compiler
// by -overlay. `make mutants` runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

func main() {
	list := flag.String("list", "hack/mutants/mutants.yaml", "the changes to make")
	only := flag.String("package", "", "only the changes in this package, for example ./node")
	least := flag.Int("least", 90, "percentage that must be noticed in each package")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *list, *only, *least)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, list, only string, least int) error {
	mutants, err := read(list)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return fmt.Errorf("cannot make a work folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }() // a temporary folder

	var below error
	for _, p := range byPackage(mutants, only) {
		killed, err := p.run(ctx, work)
		if err != nil {
			return err
		}
		percent := 100 * killed / len(p.mutants)
		fmt.Printf("%-24s %d of %d noticed, %d %%\n", p.dir, killed, len(p.mutants), percent)
		if percent < least {
			below = errors.Join(below, fmt.Errorf("the tests of %s notice %d %% of the changes, want %d %%", p.dir, percent, least))
		}
	}
	return below
}
