// Package fault holds the error of package module and its sources: a stable
// reason code, and a sentence that says what was done, where, why it failed
// and what to do. It stands apart so that the sources, which package module
// imports, can make such errors too.
package fault

import (
	"errors"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// ErrNotFound is what an Error wraps when a source has nothing at a path. It
// lets a reader try the next layout.
var ErrNotFound = errors.New("not found")

// Error is why a module is unavailable or not the wanted one.
type Error struct {
	// Reason is the stable code, as in the outcome.
	Reason outcome.Reason
	// What could not be done, such as "fetch index.json".
	What string
	// Where, such as an address without secrets or a file's path.
	Where string
	// Why it failed; when empty, Err says it.
	Why string
	// Do says what to do; when empty, the reason's general remedy stands.
	Do string
	// Err is the cause, if there is one.
	Err error
}

// Error says what, where, why and what to do.
func (e *Error) Error() string {
	text := e.Problem()
	if do := e.Remedy(); do != "" {
		text = strings.TrimRight(text, ".") + ". " + do
	}
	return text
}

// Problem says what, where and why, without what to do.
func (e *Error) Problem() string {
	var b strings.Builder
	b.WriteString("cannot " + e.What)
	if e.Where != "" {
		b.WriteString(" (" + e.Where + ")")
	}
	b.WriteString(": ")
	switch {
	case e.Why != "":
		b.WriteString(e.Why)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(string(e.Reason))
	}
	return b.String()
}

// Remedy says what to do about it.
func (e *Error) Remedy() string {
	if e.Do != "" {
		return e.Do
	}
	info, _ := outcome.Describe(e.Reason)
	return info.Remedy
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// NotFound says that nothing is at where.
func NotFound(what, where string) *Error {
	return &Error{Reason: outcome.SourceInvalid, What: what, Where: where, Why: "the file does not exist", Err: ErrNotFound}
}

// TooLarge says that what is at where has more than limit bytes.
func TooLarge(what, where, why string) *Error {
	return &Error{Reason: outcome.TooLarge, What: what, Where: where, Why: why}
}
