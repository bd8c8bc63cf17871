// Command promcheck does with rules and queries what Prometheus does, by
// Prometheus' own packages: it reads scrapes of /metrics into a database,
// evaluates the alerting rules minute by minute and the queries at the end, and
// prints what fires and what comes out. Input and output are JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Input is what promcheck reads.
type Input struct {
	// Rules is a rules file's text.
	Rules   string            `json:"rules"`
	Queries map[string]string `json:"queries"`
	Scrapes []Scrape          `json:"scrapes"`
	// Start is the time of minute 0, in seconds since 1970.
	Start int64 `json:"start"`
	// Minutes is how long the rules are evaluated.
	Minutes int `json:"minutes"`
}

// Scrape is one answer of one target.
type Scrape struct {
	Minute int               `json:"minute"`
	Labels map[string]string `json:"labels"`
	Text   string            `json:"text"`
}

// Output is what promcheck prints.
type Output struct {
	// Alerts are those that fire at the end.
	Alerts []Alert `json:"alerts"`
	// Names are all alerts of the file.
	Names   []string         `json:"names"`
	Results map[string][]Row `json:"results"`
	// Metrics are the names that each expression refers to, by rule or query.
	Metrics map[string][]string `json:"metrics"`
}

// Alert is one that fires.
type Alert struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// Row is one series of a query's result.
type Row struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var in Input
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return fmt.Errorf("reading the input: %w", err)
	}
	start := time.Unix(in.Start, 0).UTC()
	p, err := open()
	if err != nil {
		return err
	}
	defer p.close()
	for _, s := range in.Scrapes {
		if err := p.scrape(ctx, s, start.Add(time.Duration(s.Minute)*time.Minute)); err != nil {
			return err
		}
	}
	out := Output{Results: map[string][]Row{}, Metrics: map[string][]string{}}
	if err := p.rules(ctx, in, start, &out); err != nil {
		return err
	}
	for name, query := range in.Queries {
		if err := p.query(ctx, name, query, start.Add(time.Duration(in.Minutes)*time.Minute), &out); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}
