package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/tsdb"
)

// contentType is what the agent answers with.
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// prometheus is its database and its engine.
type prometheus struct {
	dir    string
	db     *tsdb.DB
	engine *promql.Engine
	parser parser.Parser
}

func open() (*prometheus, error) {
	dir, err := os.MkdirTemp("", "promcheck")
	if err != nil {
		return nil, err
	}
	o := tsdb.DefaultOptions()
	o.RetentionDuration = 0
	db, err := tsdb.Open(dir, slog.New(slog.DiscardHandler), nil, o, nil)
	if err != nil {
		return nil, err
	}
	p := parser.NewParser(parser.Options{})
	return &prometheus{dir, db, promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: p}), p}, nil
}

func (p *prometheus) close() {
	_ = p.db.Close() // of a folder that goes
	_ = os.RemoveAll(p.dir)
}

// scrape stores what a target answered, with the target's labels.
func (p *prometheus) scrape(ctx context.Context, s Scrape, at time.Time) error {
	lines, err := textparse.New([]byte(s.Text), contentType, nil, textparse.ParserOptions{})
	if err != nil {
		return fmt.Errorf("reading metrics: %w", err)
	}
	app := p.db.Appender(ctx)
	for {
		entry, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return app.Commit()
		}
		if err != nil {
			return fmt.Errorf("reading metrics: %w\n%s", err, s.Text)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, value := lines.Series()
		var found labels.Labels
		lines.Labels(&found)
		b := labels.NewBuilder(found)
		for name, value := range s.Labels {
			b.Set(name, value)
		}
		if _, err := app.Append(0, b.Labels(), at.UnixMilli(), value); err != nil {
			return fmt.Errorf("storing a sample: %w", err)
		}
	}
}

// rules reads the file as strictly as Prometheus does and evaluates it each minute.
func (p *prometheus) rules(ctx context.Context, in Input, start time.Time, out *Output) error {
	file, problems := rulefmt.Parse([]byte(in.Rules), false, model.UTF8Validation, p.parser, slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		return fmt.Errorf("the rules: %w", errors.Join(problems...))
	}
	query := rules.EngineQueryFunc(p.engine, p.db)
	for _, group := range file.Groups {
		for _, r := range group.Rules {
			expr, err := p.parse(r.Alert, r.Expr, out)
			if err != nil {
				return err
			}
			out.Names = append(out.Names, r.Alert)
			alert := rules.NewAlertingRule(r.Alert, expr, time.Duration(r.For), time.Duration(r.KeepFiringFor), labels.FromMap(r.Labels),
				labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
			for minute := range in.Minutes + 1 {
				if _, err := alert.Eval(ctx, 0, start.Add(time.Duration(minute)*time.Minute), query, nil, 0); err != nil {
					return fmt.Errorf("evaluating %s: %w", r.Alert, err)
				}
			}
			for _, a := range alert.ActiveAlerts() {
				if a.State == rules.StateFiring {
					out.Alerts = append(out.Alerts, Alert{r.Alert, a.Labels.Map(), a.Annotations.Map()})
				}
			}
		}
	}
	return nil
}

func (p *prometheus) parse(name, text string, out *Output) (parser.Expr, error) {
	expr, err := p.parser.ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, selectors := range parser.ExtractSelectors(expr) {
		for _, m := range selectors {
			if m.Name == model.MetricNameLabel {
				out.Metrics[name] = append(out.Metrics[name], m.Value)
			}
		}
	}
	slices.Sort(out.Metrics[name])
	out.Metrics[name] = slices.Compact(out.Metrics[name])
	return expr, nil
}

func (p *prometheus) query(ctx context.Context, name, text string, at time.Time, out *Output) error {
	if _, err := p.parse(name, text, out); err != nil {
		return err
	}
	vector, err := rules.EngineQueryFunc(p.engine, p.db)(ctx, text, at)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, sample := range vector {
		out.Results[name] = append(out.Results[name], Row{sample.Metric.Map(), sample.F})
	}
	return nil
}
