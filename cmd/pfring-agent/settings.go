package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/node"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// settings are the agent's flags.
type settings struct {
	node, onUnavailable, moduleName string
	logLevel                        slog.Level
	record                          node.Record
	watchFile, cacheDir             string
	hostSys, hostProc, sys, proc    string
	log                             *slog.Logger
	// memory is how many bytes a load may hold at once; 0 means no bound.
	memory int64

	source        module.SourceOptions
	supply        supply
	verify        string
	keys, keyDir  string
	version       string
	minSerial     int64
	parameters    string
	replaceLoaded bool
	loadTimeout   time.Duration
	linger        time.Duration

	waitMode    string
	waitTimeout time.Duration

	metricsAddress          string
	metrics, rings          bool
	unloadOnDestroy         bool
	unloadTimeout, interval time.Duration
	targets, registries     string
	builds, buildProxy      string
}

// parse reads the flags of a command, with the environment for what is not
// given. Every command takes every flag, so that a DaemonSet's containers can
// share an environment.
func parse(command string, args []string, env func(string) (string, bool), stderr io.Writer) (*settings, error) {
	s := &settings{}
	f := flag.NewFlagSet("pfring-agent "+command, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	s.flags(f)
	var err error
	f.VisitAll(func(fl *flag.Flag) {
		name := "PFRING_" + strings.ToUpper(strings.ReplaceAll(fl.Name, "-", "_"))
		if v, ok := env(name); ok && v != "" {
			if e := f.Set(fl.Name, v); e != nil {
				err = errors.Join(err, fmt.Errorf("%s=%q: %w", name, v, e))
			}
		}
	})
	if e := f.Parse(args); errors.Is(e, flag.ErrHelp) {
		f.SetOutput(stderr)
		f.PrintDefaults()
		return nil, e
	} else if e != nil {
		err = errors.Join(err, e)
	}
	if f.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", f.Arg(0)))
	}
	s.log = slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: s.logLevel}))
	s.source.Log = s.log
	s.source.UserAgent = "pfring-agent/" + version
	s.supply.source.Log, s.supply.source.UserAgent = s.log, s.source.UserAgent
	gomemlimit, _ := env("GOMEMLIMIT")
	s.memory = s.host().BoundMemory("/sys/fs/cgroup", gomemlimit)
	return s, errors.Join(err, s.check())
}

func (s *settings) flags(f *flag.FlagSet) {
	f.StringVar(&s.node, "node", "", "name of the node")
	f.TextVar(&s.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")
	f.StringVar(&s.onUnavailable, "on-unavailable", "fallback", "without a module: fallback (exit 0, libpcap) or fail (exit 1)")
	f.StringVar(&s.moduleName, "module-name", "pf_ring", "the kernel's name of the module")
	f.StringVar(&s.record.Shared, "outcome-file", "/run/pfring/outcome.json", "outcome, from the init container to run")
	f.StringVar(&s.record.State, "state-file", "", "outcome on the host, written by load, replaced atomically")
	f.StringVar(&s.watchFile, "watch-file", "", "current outcome on the host, written by run, replaced atomically")
	f.StringVar(&s.record.Termination, "termination-log", "/dev/termination-log", "outcome as the container's termination message")
	f.StringVar(&s.cacheDir, "cache-dir", "", "folder on the host for copies of verified modules and the newest serials seen, written by load")
	f.StringVar(&s.hostSys, "host-sys", "/host/sys", "the host's /sys, read only")
	f.StringVar(&s.hostProc, "host-proc", "", "the host's /proc, for ring counters")
	f.StringVar(&s.sys, "sys", "/sys", "the kernel's /sys, as this process sees it")
	f.StringVar(&s.proc, "proc", "/proc", "the kernel's /proc, as this process sees it")
	s.sourceFlags(f)
	s.supply.flags(f)
	f.StringVar(&s.parameters, "parameters", "", `parameters of the module, "name=value name=value"`)
	f.BoolVar(&s.replaceLoaded, "replace-loaded", false, "replace another version that is loaded and unused")
	f.DurationVar(&s.loadTimeout, "load-timeout", 2*time.Minute, "bound on finding, fetching and loading together")
	f.DurationVar(&s.linger, "linger", 30*time.Second, "how long a module that no agent watches must stay loaded before it counts as loaded; 0 counts it at once")
	f.StringVar(&s.waitMode, "wait-mode", "kmm", "who loads: kmm or auto")
	f.DurationVar(&s.waitTimeout, "wait-timeout", 4*time.Minute, "how long wait waits; 0 waits indefinitely")
	f.StringVar(&s.metricsAddress, "metrics-address", ":9102", "where run serves probes and metrics")
	f.BoolVar(&s.metrics, "metrics", true, "serve /metrics")
	f.BoolVar(&s.rings, "rings", false, "add counters of the open rings to the metrics")
	f.BoolVar(&s.unloadOnDestroy, "unload-on-destroy", false, "unload the module when run is asked to end")
	f.DurationVar(&s.unloadTimeout, "unload-timeout", 20*time.Second, "how long to try while the module is in use")
	f.DurationVar(&s.interval, "poll-interval", 5*time.Second, "interval between two checks of the module")
	f.StringVar(&s.targets, "probe-targets", "", "module repositories to probe, URLs with commas between; default --source-url and --supply-url")
	f.StringVar(&s.registries, "probe-registries", "", "image registries to probe, such as registry.example.com:5000, with commas between")
	f.StringVar(&s.builds, "probe-builds", "", "what builds fetch, to probe: URLs with commas between; one that ends in a slash needs no file there")
	f.StringVar(&s.buildProxy, "probe-builds-proxy", "", "proxies of builds: for http, for https and the hosts without, with | between")
}

func (s *settings) sourceFlags(f *flag.FlagSet) {
	f.StringVar(&s.source.URL, "source-url", "", "module repository: "+module.URLForms())
	f.StringVar(&s.verify, "source-verify", "signature", "what a module must pass: signature, checksum or none")
	f.StringVar(&s.keys, "source-public-keys", "", "minisign public keys, with commas between")
	f.StringVar(&s.keyDir, "source-public-key-dir", "", "folder whose files are minisign public keys")
	f.StringVar(&s.version, "source-version", "", "PF_RING version to load; default the highest")
	f.Int64Var(&s.minSerial, "source-min-serial", 0, "refuse an index older than this serial")
	f.StringVar(&s.source.Region, "source-region", "", "region of the bucket")
	f.StringVar(&s.source.Endpoint, "source-endpoint", "", "S3 endpoint other than AWS's")
	f.BoolVar(&s.source.PathStyle, "source-path-style", false, "put the bucket into the path, not into the host name")
	f.StringVar(&s.source.CredentialsDir, "source-credentials-dir", "", "folder with accessKeyID and secretAccessKey, username and password, or token")
	f.StringVar(&s.source.DockerConfig, "source-docker-config", "", "file of registry credentials")
	f.StringVar(&s.source.CAFile, "source-ca-file", "", "CA certificates to trust in addition to the system's")
	f.StringVar(&s.source.ProxyHTTP, "source-proxy-http", "", "proxy for http")
	f.StringVar(&s.source.ProxyHTTPS, "source-proxy-https", "", "proxy for https")
	f.StringVar(&s.source.ProxyCredentialsDir, "source-proxy-credentials-dir", "", "folder with username and password for the proxy")
	f.StringVar(&s.source.ProxyNo, "source-proxy-no", "", "hosts that are reached without the proxy")
}

func (s *settings) check() error {
	var err error
	oneOf := func(flag, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			err = errors.Join(err, fmt.Errorf("invalid --%s %q: must be one of %s", flag, value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("on-unavailable", s.onUnavailable, "fallback", "fail")
	oneOf("source-verify", s.verify, "signature", "checksum", "none")
	oneOf("wait-mode", s.waitMode, "kmm", "auto")
	if s.loadTimeout <= 0 || s.interval <= 0 || s.unloadTimeout <= 0 || s.waitTimeout < 0 || s.linger < 0 || s.supply.wait < 0 {
		err = errors.Join(err, errors.New("invalid duration: --load-timeout, --unload-timeout and --poll-interval must be greater than 0, --wait-timeout, --linger and --supply-wait must not be negative"))
	}
	return err
}

// publicKeys are those of the flag and of the folder's files. Kubernetes puts
// links with two dots into the folder of a Secret; they are not keys.
func (s *settings) publicKeys() ([]string, error) {
	keys := strings.FieldsFunc(s.keys, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	if s.keyDir == "" {
		return keys, nil
	}
	entries, err := os.ReadDir(s.keyDir)
	if err != nil {
		return nil, fmt.Errorf("cannot read the public keys: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		data, err := readfile.Regular(filepath.Join(s.keyDir, e.Name()), 64<<10)
		if err != nil {
			return nil, fmt.Errorf("cannot read the public keys: %w", err)
		}
		lines := strings.Split(strings.TrimSpace(string(data)), "\n")
		keys = append(keys, strings.TrimSpace(lines[len(lines)-1]))
	}
	return keys, nil
}

func (s *settings) host() *node.Host {
	h := node.NewHost(s.hostSys, s.hostProc)
	h.Sys, h.Proc = s.sys, s.proc
	return h
}

// exitCode is what an outcome means to the container.
func (s *settings) exitCode(o outcome.Outcome) int {
	if o.Reason.Good() || s.onUnavailable == "fallback" {
		return outcome.ExitOK
	}
	return outcome.ExitNo
}
