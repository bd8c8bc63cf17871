package flags

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	valuesschema "github.com/kubeshark/kubeshark-pfring/values-schema"
)

// UsageError is a command that was typed in a way that it does not understand. It
// ends with where to read how it is typed.
type UsageError struct {
	// Command is the path of the command, such as pfring prereq check; "" is not
	// known yet.
	Command string
	Err     error
}

// Error ends with a line that names the command's help.
func (e *UsageError) Error() string {
	if e.Command == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "\nSee '" + e.Command + " --help'."
}

// Unwrap is the error alone.
func (e *UsageError) Unwrap() error { return e.Err }

// Usage marks an error as one of usage, of this command.
func Usage(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	path := cmd.CommandPath()
	if e := (*UsageError)(nil); errors.As(err, &e) {
		if e.Command == "" {
			e.Command = path
		}
		return err
	}
	return &UsageError{Command: path, Err: err}
}

// Wrong is a usage error of which the command is not known yet.
func Wrong(format string, args ...any) error { return &UsageError{Err: fmt.Errorf(format, args...)} }

// OneOf tells of a flag whose value is not one of those that it takes.
func OneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	allowed = slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
	if near := valuesschema.Nearest(value, allowed); near != "" && value != "" {
		return Wrong("invalid --%s %q: must be one of %s; did you mean %q?", flag, value, strings.Join(allowed, ", "), near)
	}
	return Wrong("invalid --%s %q: must be one of %s", flag, value, strings.Join(allowed, ", "))
}

// Reword says what is wrong with a flag in the words of the commands, where pflag
// says it in Go's.
func Reword(cmd *cobra.Command, err error) error {
	var (
		invalid  *pflag.InvalidValueError
		unknown  *pflag.NotExistError
		required *pflag.ValueRequiredError
	)
	switch {
	case errors.As(err, &invalid):
		return fmt.Errorf("invalid --%s %q: must be %s", invalid.GetFlag().Name, invalid.GetValue(), kind(invalid.GetFlag(), invalid.Unwrap()))
	case errors.As(err, &required):
		return fmt.Errorf("--%s requires a value: %s", required.GetFlag().Name, kind(required.GetFlag(), nil))
	case errors.As(err, &unknown):
		name := unknown.GetSpecifiedName()
		if unknown.GetSpecifiedShortnames() != "" {
			return fmt.Errorf("unknown flag -%s for %q", name, cmd.CommandPath())
		}
		if near := nearest(name, names(cmd)); near != "" {
			return fmt.Errorf("unknown flag --%s for %q, did you mean --%s?", name, cmd.CommandPath(), near)
		}
		return fmt.Errorf("unknown flag --%s for %q", name, cmd.CommandPath())
	}
	return err
}

// nearest returns the flag that was meant: one of nearly the same letters, or the only
// one of several words that begins with this one, as nodes-from does with nodes.
func nearest(name string, flags []string) string {
	if near := valuesschema.Nearest(name, flags); near != "" {
		return near
	}
	longer := slices.DeleteFunc(slices.Clone(flags), func(flag string) bool { return !strings.HasPrefix(flag, name+"-") })
	if len(longer) == 1 {
		return longer[0]
	}
	return ""
}

// Required says which flags cmd lacks, where cobra says it in words of its own; any
// other error is returned as it is.
func Required(cmd *cobra.Command, err error) error {
	if err == nil || cmd == nil || !strings.HasPrefix(err.Error(), "required flag(s) ") {
		return err
	}
	var missing []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if len(f.Annotations[cobra.BashCompOneRequiredFlag]) > 0 && !f.Changed {
			missing = append(missing, "--"+f.Name)
		}
	})
	return Usage(cmd, fmt.Errorf("%q requires %s", cmd.CommandPath(), strings.Join(missing, " and ")))
}

func names(cmd *cobra.Command) []string {
	var list []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			list = append(list, f.Name)
		}
	})
	return list
}

// kind says what a flag's value must be.
func kind(f *pflag.Flag, cause error) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "duration":
		return "a duration, such as 30s or 5m"
	case "int", "int32", "int64", "uint", "uint64":
		return "a whole number"
	case "wait":
		return "a duration, such as 30s or 5m, true or false"
	case "stringSlice":
		if cause != nil {
			return "a list separated by commas; an item with a quote must be quoted, with the quote doubled"
		}
		return "a text, or several separated by commas"
	}
	if cause != nil && !strings.Contains(cause.Error(), "strconv.") {
		return "of another form: " + cause.Error()
	}
	return "a text"
}
