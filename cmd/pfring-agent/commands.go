package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func load(ctx context.Context, s *settings, stdout io.Writer) (int, error) {
	keys, err := s.publicKeys()
	if err != nil {
		// A Secret that is not what it should be must not block capture.
		s.log.Error("no module can pass verification", "error", err)
	}
	given := node.LoadOptions{
		Host: s.host(), Node: s.node, ModuleName: s.moduleName,
		Source:  func() (module.Source, error) { return module.OpenSource(s.source) },
		Version: s.version, Verify: outcome.Verified(s.verify), PublicKeys: keys, MinSerial: s.minSerial, Memory: s.memory,
		Parameters: s.parameters, ReplaceLoaded: s.replaceLoaded, Timeout: s.loadTimeout,
		State: s.record.State, Watch: s.watchFile, Cache: s.cacheDir, Linger: s.linger, Log: s.log,
	}
	o := node.LoadFirst(ctx, s.repositories(given)...)
	return s.publish(ctx, o, stdout, func() outcome.Outcome { return s.record.Settle(ctx, given.Host, s.moduleName, o, s.log) })
}

// repositories are where to look for a module, in this order.
func (s *settings) repositories(given node.LoadOptions) []func(context.Context) node.LoadOptions {
	first := func(context.Context) node.LoadOptions { return given }
	if s.supply.source.URL == "" {
		return []func(context.Context) node.LoadOptions{first}
	}
	built := func(ctx context.Context) node.LoadOptions {
		o := given
		wait := s.supply.wait
		if o.Host.Loaded(o.ModuleName) != nil {
			wait = 0 // a node that captures with PF_RING needs nothing
		}
		keys, err := s.supply.publicKeys(ctx, wait)
		o.Verify, o.PublicKeys, o.MinSerial = outcome.VerifiedSignature, keys, 0
		o.Source = func() (module.Source, error) {
			if err != nil {
				return nil, err
			}
			return s.supply.open(s.source)
		}
		return o
	}
	if s.source.URL == "" {
		return []func(context.Context) node.LoadOptions{built}
	}
	// Neither may take all the time.
	given.Timeout = s.loadTimeout / 2
	return []func(context.Context) node.LoadOptions{first, built}
}

func wait(ctx context.Context, s *settings, stdout io.Writer) (int, error) {
	o := node.Wait(ctx, node.WaitOptions{
		Host: s.host(), Node: s.node, ModuleName: s.moduleName, Mode: node.WaitMode(s.waitMode),
		Timeout: s.waitTimeout, State: s.record.State, Watch: s.watchFile, Log: s.log,
	})
	if s.waitMode == string(node.WaitAuto) {
		// The state file is that of the agent which loads.
		s.record.State = ""
	}
	return s.publish(ctx, o, stdout, func() outcome.Outcome {
		s.record.Write(o, s.log)
		return o
	})
}

// publish has an outcome written down and prints what holds then. That the agent was
// interrupted is not a verdict on the node: what was written before stands, unless
// this agent has loaded the module.
func (s *settings) publish(ctx context.Context, o outcome.Outcome, stdout io.Writer, write func() outcome.Outcome) (int, error) {
	if ctx.Err() != nil && o.Reason != outcome.Loaded && o.Reason != outcome.Replaced {
		s.log.Warn("interrupted before there was an outcome", "message", o.Message)
		return exitInterrupted, nil
	}
	o = write()
	line, err := o.Encode()
	if err != nil {
		return outcome.ExitError, err
	}
	if _, err := stdout.Write(line); err != nil {
		s.log.Warn("the outcome cannot be printed", "error", err)
	}
	return s.exitCode(o), nil
}

func run(ctx context.Context, s *settings, _ io.Writer) (int, error) {
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", s.metricsAddress)
	if err != nil {
		return outcome.ExitError, fmt.Errorf("cannot listen for probes: %w", err)
	}
	w := node.NewWatch(node.WatchOptions{
		Host: s.host(), Node: s.node, ModuleName: s.moduleName, Poll: s.interval, Log: s.log,
		// What load has written is only read: whoever gets into this container, which
		// serves the network, must not be able to change it.
		First: s.record.Shared, State: s.record.State, Record: node.Record{State: s.watchFile, Termination: s.record.Termination},
	})
	go w.Run(ctx)
	s.log.Info("watching", "backend", w.Outcome().Backend, "reason", w.Outcome().Reason, "address", l.Addr().String())
	if err := w.Serve(ctx, l, node.ServerOptions{Metrics: s.metrics, Rings: s.rings}); err != nil {
		return outcome.ExitError, err
	}
	if s.unloadOnDestroy {
		w.UnloadAtEnd(s.unloadTimeout)
	}
	return outcome.ExitOK, nil
}

func unload(ctx context.Context, s *settings, _ io.Writer) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.unloadTimeout)
	defer cancel()
	if err := node.Unload(ctx, s.host(), s.moduleName); err != nil {
		return outcome.ExitNo, err
	}
	return outcome.ExitOK, nil
}

// probe looks at the node and asks the targets, for a Job or a test pod: the
// answer is one line, as termination message too.
func probe(ctx context.Context, s *settings, stdout io.Writer) (int, error) {
	sources := list(s.targets)
	if len(sources) == 0 {
		sources = slices.DeleteFunc([]string{s.source.URL, s.supply.source.URL}, func(url string) bool { return url == "" })
	}
	ctx, cancel := context.WithTimeout(ctx, s.loadTimeout)
	defer cancel()
	p := node.Probe(ctx, node.ProbeOptions{
		Host: s.host(), Node: s.node, ModuleName: s.moduleName, Agent: version,
		Sources: sources, Registries: list(s.registries), Builds: list(s.builds),
		Open: func(url string) (module.Source, error) {
			if url == s.supply.source.URL {
				return s.supply.open(s.source)
			}
			o := s.source
			o.URL = url
			return module.OpenSource(o)
		},
		Ping: func(ctx context.Context, registry string) error { return module.PingRegistry(ctx, s.source, registry) },
		Reach: func(ctx context.Context, url string) error {
			p := strings.Split(s.buildProxy+"||", "|")
			return module.Reach(ctx, module.SourceOptions{ProxyHTTP: p[0], ProxyHTTPS: p[1], ProxyNo: p[2]}, url)
		},
	})
	line, err := p.Encode()
	if err != nil {
		return outcome.ExitError, err
	}
	if err := os.WriteFile(s.record.Termination, line, 0o600); err != nil && s.record.Termination != "" {
		s.log.Warn("cannot write the result as termination message", "error", err)
	}
	if _, err := stdout.Write(line); err != nil {
		return outcome.ExitError, err
	}
	for _, t := range p.Targets {
		if !t.OK {
			return outcome.ExitNo, nil
		}
	}
	return outcome.ExitOK, nil
}

// list splits what has commas or spaces between.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}
