package inject

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Defaults of Options.
const (
	defaultTimeout   = 60 * time.Second
	defaultStateFile = "/run/kubeshark-pfring/state.json"
)

// Options say what to add. The zero value is not valid; start from Default.
type Options struct {
	// Mode is auto or kmm, as in tap.kernelModule.mode.
	Mode string
	// WaitWith says what waits: WithWorker, withAgent or withAuto, which is the
	// worker's own image where it is known to have a shell, else nothing.
	WaitWith string
	// Image is the agent's, for withAgent.
	Image string
	// PullPolicy is for Image; "" leaves it to Kubernetes.
	PullPolicy string
	// Timeout bounds the wait, in whole seconds; it is never indefinitely.
	Timeout time.Duration
	// StateFile is tap.kernelModule.stateFile, for auto.
	StateFile string
	// WorkerFlag is auto, always or never.
	WorkerFlag string
	// Workload is KIND/NAME of another program that captures, in place of
	// Kubeshark's workers; Container is the one of it, needed if it has more.
	Workload, Container string
}

// What waits.
const (
	withAuto   = "auto"
	WithWorker = "worker"
	withAgent  = "agent"
)

// Default returns the settings that never keep capture from starting.
func Default() Options {
	return Options{Mode: "auto", WaitWith: withAuto, Timeout: defaultTimeout, StateFile: defaultStateFile, WorkerFlag: "auto"}
}

func (o *Options) check() error {
	for name, v := range map[string]struct {
		value   string
		allowed []string
	}{
		"mode":        {o.Mode, []string{"auto", "kmm"}},
		"wait-with":   {o.WaitWith, []string{withAuto, WithWorker, withAgent}},
		"worker-flag": {o.WorkerFlag, []string{"auto", "always", "never"}},
		"pull-policy": {o.PullPolicy, []string{"", "Always", "IfNotPresent", "Never"}},
	} {
		if !slices.Contains(v.allowed, v.value) {
			return fmt.Errorf("invalid %s %q: must be one of %s", name, v.value, strings.Join(v.allowed, ", "))
		}
	}
	switch {
	case o.Timeout < time.Second || o.Timeout > time.Hour:
		return fmt.Errorf("invalid wait-timeout %s: must be from 1s to 1h, since capture must not wait indefinitely", o.Timeout)
	case o.WaitWith == withAgent && o.Image == "":
		return errors.New("--wait-with agent requires the agent's image: --image REGISTRY/pfring-agent:VERSION")
	case o.WaitWith == WithWorker && o.Image != "":
		return errors.New("wait-with worker waits in the worker's own image: remove --image")
	case strings.ContainsFunc(o.Image, func(r rune) bool { return r <= ' ' || r == '"' || r >= 0x7f }):
		return fmt.Errorf("invalid image %q: must be an image reference", o.Image)
	case o.StateFile != "" && (!plainPath(o.StateFile) || path.Clean(o.StateFile) != o.StateFile || path.Dir(o.StateFile) == "/"):
		return fmt.Errorf("invalid state-file %q: must be an absolute path of letters, digits, dots, dashes and underscores, with at least one folder", o.StateFile)
	}
	if o.Image != "" {
		o.WaitWith = withAgent
	}
	return o.checkWorkload()
}

// checkWorkload: of another program's image nobody here knows whether it has a
// shell, and without one the pod would never start.
func (o *Options) checkWorkload() error {
	if o.Workload == "" {
		if o.Container != "" {
			return errors.New("--container requires --workload")
		}
		return nil
	}
	if _, _, err := ParseWorkload(o.Workload); err != nil {
		return err
	}
	if o.WaitWith == withAuto {
		return errors.New("--workload requires --wait-with worker, if its image has /bin/sh and sleep, or --image REGISTRY/pfring-agent:VERSION")
	}
	return nil
}

// plainPath keeps the shell and YAML from seeing anything but a name in it.
func plainPath(s string) bool {
	return path.IsAbs(s) && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !alphanumeric && !strings.ContainsRune("/._-", r)
	})
}

// watchFile is what the agent's run writes, in a folder below that of the state
// file, as the chart tells it.
func (o *Options) watchFile() string {
	return path.Join(path.Dir(o.StateFile), "watch", "state.json")
}

// watchesState is true if the wait is to read what load left on the host.
func (o *Options) watchesState() bool { return o.Mode == "auto" && o.StateFile != "" }
