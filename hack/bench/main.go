// Command bench runs the benchmarks of the list in rows.go, one after the other,
// and prints each figure beside its rival's of the same run and beside the aim.
// `make bench` runs it; BENCH=render runs one row. It leaves the table in
// dist/bench as JSON and Markdown; docs/performance.md is made from it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	only := flag.String("row", "", "run only this row; empty runs all")
	out := flag.String("out", "dist/bench", "folder for bench.json and bench.md; empty writes none")
	page := flag.String("page", "", "also replace the table between the marks of this page, such as docs/performance.md")
	limit := flag.Duration("limit", 20*time.Minute, "time for all rows together; what has not run by then is shown as not run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *only, *out, *page, *limit)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, out, page string, limit time.Duration) error {
	chosen, err := choose(rows(), only)
	if err != nil {
		return err
	}
	table := Table{Machine: machine(), Time: time.Now().UTC().Truncate(time.Second)}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, r := range chosen {
		fmt.Fprintf(os.Stderr, "%s …\n", r.Name)
		begin := time.Now()
		measured, err := r.measure(ctx)
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		table.add(r, measured, err)
		fmt.Fprintf(os.Stderr, "%s took %s\n", r.Name, time.Since(begin).Round(time.Second))
	}
	fmt.Print(table.Text())
	if out != "" {
		if err := table.write(out); err != nil {
			return err
		}
	}
	if page != "" {
		return table.writeInto(page)
	}
	return nil
}

// choose returns the row of a name, or all.
func choose(all []row, only string) ([]row, error) {
	if only == "" {
		return all, nil
	}
	i := slices.IndexFunc(all, func(r row) bool { return r.Name == only })
	if i < 0 {
		var names []string
		for _, r := range all {
			names = append(names, r.Name)
		}
		return nil, fmt.Errorf("unknown row %q: must be one of %s", only, strings.Join(names, ", "))
	}
	return all[i : i+1], nil
}
