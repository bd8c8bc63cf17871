// Package step is what a test says to the init of a machine of package vm, and
// what that answers: one line of JSON each way.
package step

// DiskMarker is a file in the machine's initramfs: with it, its init goes on in
// the file system on its disk.
const DiskMarker = "/disk"

// Op is what to do.
type Op string

// The operations. Start leaves a program running under Request.Name; Wait and
// Signal are for such programs. Insmod (init_module), Finit (finit_module) and
// Rmmod are the bare system calls; FinitBusy is Finit of a file that is open for
// writing.
const (
	Exec   Op = "exec"
	Start  Op = "start"
	Wait   Op = "wait"
	Signal Op = "signal"
	Read   Op = "read"
	Write  Op = "write"
	List   Op = "list"
	Remove Op = "remove"
	Get    Op = "get"
	Insmod Op = "insmod"
	Rmmod  Op = "rmmod"
	Off    Op = "off"

	Finit     Op = "finit"
	FinitBusy Op = "finit-busy"
)

// Privilege is what a program may do.
type Privilege string

// The privileges. All run as uid 0.
const (
	// Root has every capability and reads the kernel's log.
	Root Privilege = ""
	// Module has the capability SYS_MODULE alone, as the chart gives it; the
	// kernel's log is closed to it.
	Module Privilege = "module"
	// NoCapability has none.
	NoCapability Privilege = "none"
	// Seccomp is Module under a filter that refuses init_module.
	Seccomp Privilege = "seccomp"
	// UserNamespace has every capability in a user namespace of its own, where
	// they do not count for modules.
	UserNamespace Privilege = "user-namespace"
)

// Request is one thing to do.
type Request struct {
	Op Op `json:"op"`
	// Args, Privilege and NetNS (a network namespace of its own) are for Exec
	// and Start.
	Args      []string  `json:"args,omitempty"`
	Privilege Privilege `json:"privilege,omitempty"`
	NetNS     bool      `json:"netns,omitempty"`
	// Group is the folder of the control group that Exec and Start begin in; "" is
	// the machine's own.
	Group string `json:"group,omitempty"`
	// Name is that of the started program.
	Name string `json:"name,omitempty"`
	// Until makes Start return when the program has printed this, and Get when
	// the answer's status line contains it.
	Until string `json:"until,omitempty"`
	// Number is the signal, or the flags of Finit.
	Number int `json:"number,omitempty"`
	// Path is a file, a glob pattern for List, a URL for Get, a module's name
	// for Rmmod.
	Path string `json:"path,omitempty"`
	// Data is what to write, or a module's parameters.
	Data string `json:"data,omitempty"`
}

// Result is the answer.
type Result struct {
	// Error says why the request could not be carried out; a program that ends
	// with another code than 0 was carried out.
	Error string `json:"error,omitempty"`
	// Code is the exit code, -1 for one that a signal ended.
	Code   int    `json:"code,omitempty"`
	Stdout string `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`
	// Data is a file's content, the paths of List by line, an HTTP status with
	// the body below it, or the name of a system call's errno.
	Data string `json:"data,omitempty"`
	// Micros is how long it took; MaxRSS is the program's peak memory in KiB.
	Micros int64 `json:"micros,omitempty"`
	MaxRSS int64 `json:"maxRSS,omitempty"`
}
