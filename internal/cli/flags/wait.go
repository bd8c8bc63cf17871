package flags

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
)

// Wait is a flag --wait, which may be given alone, as --wait=10m or as --wait 10m.
type Wait struct {
	// On is true when the command waits; For is how long, 0 where it was not said.
	On  bool
	For time.Duration
}

// Register adds the flag to cmd, which otherwise takes no arguments.
func (w *Wait) Register(cmd *cobra.Command, usage string) {
	flag := cmd.Flags().VarPF(w, "wait", "", usage)
	flag.NoOptDefVal = "true"
	cmd.Args = w.args
}

// args takes the duration after --wait, which a flag that may stand alone leaves
// behind as an argument.
func (w *Wait) args(cmd *cobra.Command, args []string) error {
	if len(args) == 1 && w.On && w.For == 0 {
		if err := w.Set(args[0]); err == nil {
			return nil
		}
	}
	return cobra.NoArgs(cmd, args)
}

// Set implements pflag.Value.
func (w *Wait) Set(text string) error {
	switch text {
	case "true":
		w.On = true
		return nil
	case "false", "0":
		*w = Wait{}
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("not a duration of 0 or more")
	}
	*w = Wait{On: d > 0, For: d}
	return nil
}

// String implements pflag.Value.
func (w *Wait) String() string {
	switch {
	case !w.On:
		return "false"
	case w.For == 0:
		return "true"
	}
	return w.For.String()
}

// Type implements pflag.Value.
func (w *Wait) Type() string { return "wait" }
