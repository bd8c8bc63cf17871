package outcome

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// MaxProbeSize is the most bytes an encoded probe takes: Kubernetes cuts a
// termination message there, and a probe's pod has one container.
const MaxProbeSize = 4096

// KindProbe tells a probe's line from an outcome's.
const KindProbe = "probe"

// Answers of a probe about a switch of the kernel. Unknown stands where the
// pod could not see, and never means off.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "unknown"
)

// Probe is what the agent's probe saw of one node, without changing it.
type Probe struct {
	SchemaVersion int    `json:"schemaVersion"`
	Kind          string `json:"kind"`
	Node          string `json:"node"`
	Kernel        string `json:"kernel"`
	Arch          string `json:"arch"`
	BootID        string `json:"bootID"`
	// Agent is the version of the agent that looked.
	Agent   string        `json:"agent"`
	Host    ProbeHost     `json:"host"`
	Loaded  *ProbeModule  `json:"loaded,omitempty"`
	Targets []ProbeTarget `json:"targets"`
	Time    time.Time     `json:"time"`
}

// ProbeHost is what decides whether the node's kernel takes a module. Each
// field but Lockdown is yes, no or unknown.
type ProbeHost struct {
	// Modules says whether the kernel can load modules at all, and
	// ModulesDisabled whether the sysctl kernel.modules_disabled forbids it.
	Modules         string `json:"modules"`
	ModulesDisabled string `json:"modulesDisabled"`
	// Lockdown is none, integrity, confidentiality or unknown.
	Lockdown   string `json:"lockdown"`
	SecureBoot string `json:"secureBoot"`
	SigEnforce string `json:"sigEnforce"`
	SELinux    string `json:"seLinux"`
	// HostSys says whether the host's /sys was there to look at.
	HostSys string `json:"hostSys"`
	// CapSysModule and Seccomp are those of the probe's own container.
	CapSysModule string `json:"capSysModule"`
	Seccomp      string `json:"seccomp"`
	// MayLoad is the kernel's answer to an empty module: yes, or no for Reason.
	// It is asked only by a container that has the capability; else unknown.
	MayLoad string `json:"mayLoad"`
	Reason  Reason `json:"reason,omitempty"`
}

// NeedsSignature tells whether the kernel takes only modules that are signed by
// a key it trusts: yes, no or unknown.
func (h ProbeHost) NeedsSignature() string {
	switch {
	case h.SigEnforce == Yes || h.Lockdown == "integrity" || h.Lockdown == "confidentiality":
		return Yes
	case h.SigEnforce == Unknown || h.SigEnforce == "" || h.Lockdown == Unknown || h.Lockdown == "":
		return Unknown
	}
	return No
}

// ProbeModule is a PF_RING that is loaded already.
type ProbeModule struct {
	Version string `json:"version"`
	// Refs counts what uses it, open rings mostly.
	Refs int `json:"refs"`
	// Usable says whether /proc/net/pf_ring answers.
	Usable bool `json:"usable"`
}

// Kinds of a probe's targets.
const (
	TargetSource   = "source"
	TargetRegistry = "registry"
	TargetBuild    = "build"
)

// ProbeTarget says whether a module repository, a registry or what builds fetch
// answers from the node, through the pod network and the proxy of the settings.
type ProbeTarget struct {
	Kind string `json:"kind"`
	// Target is its address, without secrets.
	Target     string `json:"target"`
	OK         bool   `json:"ok"`
	Reason     Reason `json:"reason,omitempty"`
	Message    string `json:"message"`
	DurationMS int64  `json:"durationMs"`
}

// Encode returns p as one JSON line of at most MaxProbeSize bytes, newline
// included. Messages that are too long lose their middle; where that is not
// enough, targets that answered go first, and what is left out is reported by a
// last target without an address.
func (p Probe) Encode() ([]byte, error) {
	p.SchemaVersion, p.Kind = SchemaVersion, KindProbe
	p.Time = p.Time.UTC().Truncate(time.Second)
	if p.Targets == nil {
		p.Targets = []ProbeTarget{}
	}
	line, err := encodeProbe(p)
	for keep := 400; err == nil && len(line) > MaxProbeSize && keep >= 25; keep /= 2 {
		p.Targets = shortened(p.Targets, keep)
		line, err = encodeProbe(p)
	}
	all := failedFirst(p.Targets)
	for left := len(all) - 1; err == nil && len(line) > MaxProbeSize && left >= 0; left-- {
		rest := ProbeTarget{OK: allAnswered(all), Message: fmt.Sprintf("%d of %d targets are left out, since they do not fit", len(all)-left, len(all))}
		p.Targets = slices.Concat(all[:left], []ProbeTarget{rest})
		line, err = encodeProbe(p)
	}
	if err == nil && len(line) > MaxProbeSize {
		err = fmt.Errorf("cannot encode a probe: %d bytes without its targets, more than %d", len(line), MaxProbeSize)
	}
	return line, err
}

func shortened(list []ProbeTarget, keep int) []ProbeTarget {
	out := make([]ProbeTarget, len(list))
	for i, t := range list {
		t.Message = cutMiddle(t.Message, keep)
		out[i] = t
	}
	return out
}

func failedFirst(list []ProbeTarget) []ProbeTarget {
	var failed, good []ProbeTarget
	for _, t := range list {
		if t.OK {
			good = append(good, t)
		} else {
			failed = append(failed, t)
		}
	}
	return append(failed, good...)
}

func allAnswered(list []ProbeTarget) bool {
	for _, t := range list {
		if !t.OK {
			return false
		}
	}
	return true
}

func encodeProbe(p Probe) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(p); err != nil {
		return nil, fmt.Errorf("cannot encode a probe: %w", err)
	}
	return buf.Bytes(), nil
}

// ErrNotProbe means that a text holds no line of a probe found.
var ErrNotProbe = errors.New("no line of a probe found")

// ParseProbe reads a probe from a termination message. It takes fields and
// reasons that a newer version has added, and ignores text around the line.
func ParseProbe(text []byte) (Probe, error) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var p Probe
		if err := json.Unmarshal(line, &p); err != nil {
			continue // a log line, or one that was cut
		}
		if p.Kind == KindProbe && p.SchemaVersion >= 1 {
			return p, nil
		}
	}
	return Probe{}, ErrNotProbe
}
