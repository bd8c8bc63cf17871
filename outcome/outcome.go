// Package outcome holds what a node says about its PF_RING module: one JSON
// line with a backend, a reason code and the facts behind it, and the exit
// codes of the programs that print it.
//
// The line travels in a container's termination message, in the agent's state
// file and through `pfring status`; scripts read it, so fields and reason
// codes are added but never renamed. The package only describes: it imports
// nothing of this project and leaves finding out to package node.
package outcome

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// SchemaVersion is the version of the outcome line that this package writes.
const SchemaVersion = 1

// MaxSize is the most bytes an encoded outcome takes. Kubernetes cuts a
// termination message at 4096 bytes and a pod's messages at 12 KiB together.
const MaxSize = 3 * 1024

// Exit codes of pfring and of pfring-agent.
const (
	// ExitOK says that the answer is yes, or that the work was done.
	ExitOK = 0
	// ExitNo says that the answer is no: invalid values, an incompatible
	// cluster, a failed check, a node that should have the module and has not.
	ExitNo = 1
	// ExitError says that the question could not be answered: unreadable
	// file, wrong flag, unreachable API.
	ExitError = 2
	// ExitInterrupted says that a signal ended the command, as a shell has it.
	ExitInterrupted = 130
)

// Backend is what captures packets on a node.
type Backend string

// The two backends.
const (
	PFRing  Backend = "pf_ring"
	Libpcap Backend = "libpcap"
)

// Verified says which proof the loaded module has passed.
type Verified string

// The proofs, strongest first. VerifiedKMM means that KMM loaded the module
// from a container image and this project verified nothing itself.
const (
	VerifiedSignature Verified = "signature"
	VerifiedChecksum  Verified = "checksum"
	VerifiedNone      Verified = "none"
	VerifiedKMM       Verified = "kmm"
)

// Module describes the module that an outcome is about.
type Module struct {
	Version  string   `json:"version"`
	SHA256   string   `json:"sha256"`
	Source   string   `json:"source"`
	Verified Verified `json:"verified"`
	// SrcVersion is the checksum of the module's sources, as in /sys/module.
	SrcVersion string `json:"srcversion,omitempty"`
	// ModuleSHA256 is the digest of the module itself, where SHA256 is that of the
	// file in the repository, which may be compressed.
	ModuleSHA256 string `json:"moduleSHA256,omitempty"`
	// Serial is that of the repository's index.
	Serial int64 `json:"serial,omitempty"`
	// Cached says that the module came from the node's own copy, since the
	// repository could not be reached.
	Cached bool `json:"cached,omitempty"`
	// Instance tells one load of the module in a boot from another: the inode of
	// /sys/module/NAME, which changes with each.
	Instance uint64 `json:"instance,omitempty"`
	// Parameters are those that the module was loaded with, "name=value name=value".
	Parameters string `json:"parameters,omitempty"`
}

// Durations are in milliseconds.
type Durations struct {
	Total int64 `json:"total"`
	Fetch int64 `json:"fetch"`
	Load  int64 `json:"load"`
}

// Outcome is what happened to the module on one node during one boot.
type Outcome struct {
	SchemaVersion int       `json:"schemaVersion"`
	Node          string    `json:"node"`
	Kernel        string    `json:"kernel"`
	Arch          string    `json:"arch"`
	BootID        string    `json:"bootID"`
	Backend       Backend   `json:"backend"`
	Reason        Reason    `json:"reason"`
	Message       string    `json:"message"`
	Module        Module    `json:"module"`
	DurationMS    Durations `json:"durationMs"`
	// FetchedBytes came over the network or from a folder for this outcome.
	FetchedBytes int64 `json:"fetchedBytes,omitempty"`
	// IndexExpires is when the repository's index ends; zero if it does not.
	IndexExpires time.Time `json:"indexExpires,omitzero"`
	Time         time.Time `json:"time"`
}

// Encode returns o as one JSON line of at most MaxSize bytes, newline
// included. A message that is too long loses its middle, since its beginning
// says what happened and its end what to do.
func (o Outcome) Encode() ([]byte, error) {
	if o.SchemaVersion == 0 {
		o.SchemaVersion = SchemaVersion
	}
	o.Time = o.Time.UTC().Truncate(time.Second)
	line, err := encodeLine(o)
	if err != nil {
		return nil, err
	}
	for keep := len(o.Message); len(line) > MaxSize; {
		if keep == 0 {
			return nil, fmt.Errorf("cannot encode outcome: %d bytes without its message, more than %d", len(line), MaxSize)
		}
		// A byte of message takes up to six in JSON, so approach in steps.
		keep -= min(keep, max(1, (len(line)-MaxSize)/6))
		short := o
		short.Message = cutMiddle(o.Message, keep)
		if line, err = encodeLine(short); err != nil {
			return nil, err
		}
	}
	return line, nil
}

func encodeLine(o Outcome) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	// <, > and & stand in kernel messages and read badly when escaped.
	enc.SetEscapeHTML(false)
	if err := enc.Encode(o); err != nil {
		return nil, fmt.Errorf("cannot encode outcome: %w", err)
	}
	return buf.Bytes(), nil
}

// cutMiddle keeps about n bytes of s, two thirds from its beginning, and never
// splits a character.
func cutMiddle(s string, n int) string {
	if n >= len(s) {
		return s
	}
	head := n * 2 / 3
	tail := len(s) - (n - head)
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return s[:head] + " … " + s[tail:]
}

// ErrNotOutcome means that a text contains no outcome line.
var ErrNotOutcome = errors.New("no outcome line found")

// Parse reads an outcome from a termination message or a state file. It
// accepts fields and reason codes that a newer version has added, and ignores
// text before and after the line, which a crashing runtime may leave there.
func Parse(text []byte) (Outcome, error) {
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] != '{' {
			continue
		}
		var o Outcome
		if err := json.Unmarshal(line, &o); err != nil {
			return Outcome{}, fmt.Errorf("cannot read outcome: %w", err)
		}
		if o.SchemaVersion < 1 || o.Backend == "" || o.Reason == "" {
			continue
		}
		return o, nil
	}
	return Outcome{}, ErrNotOutcome
}
