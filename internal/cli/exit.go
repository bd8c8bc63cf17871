package cli

import (
	"errors"

	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// exitError carries an exit code through cobra. A nil err means that the
// command has already said everything there is to say.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// no marks err as the answer "no" (exit code 1).
func no(err error) error { return &exitError{code: outcome.ExitNo, err: err} }

// ExitCode is the exit code for what Execute returned: 0 good, 1 the answer is
// no, 2 it could not be carried out, 130 it was interrupted. An error that says nothing of its code,
// such as cobra's own for a wrong flag, is the last.
func ExitCode(err error) int {
	if err == nil {
		return outcome.ExitOK
	}
	if e := (*exitError)(nil); errors.As(err, &e) {
		return e.code
	}
	return outcome.ExitError
}
