package main

import (
	"errors"
	"flag"
	"io"
	"log/slog"
	"strings"
	"testing"
)

// Flags and environment come from the chart's values, extraEnv and whoever edits a
// DaemonSet.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"", "-h", "--node=n1\x00--linger=-1s", "--load-timeout=0", "--load-timeout=9223372036854775807ns", "--min-serial=-9", "--source-min-serial=1e3", "--wait-mode=never", "extra",
		"--source-verify=none\x00--source-url=file:///a", "--log-level=LOUD", "--log-level=DEBUG+1", "--metrics=perhaps", "--", "---", "--=", "--node", "--poll-interval=1h1h1h", "--poll-interval=.s",
	} {
		f.Add(line, "")
		f.Add("", line)
	}
	f.Fuzz(func(t *testing.T, line, environment string) {
		// An environment is what flags are, with the names in capitals.
		env := map[string]string{"GOMEMLIMIT": "1GiB"}
		for entry := range strings.SplitSeq(environment, "\x00") {
			name, value, _ := strings.Cut(strings.TrimLeft(entry, "-"), "=")
			env["PFRING_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = value
		}
		lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
		var args []string
		if line != "" {
			args = strings.Split(line, "\x00")
		}
		s, err := parse("load", args, lookup, io.Discard)
		switch {
		case errors.Is(err, flag.ErrHelp):
		case err != nil:
			if err.Error() == "" {
				t.Errorf("%q, %q: refused without a word", line, environment)
			}
		case s.loadTimeout <= 0 || s.interval <= 0 || s.unloadTimeout <= 0 || s.waitTimeout < 0 || s.linger < 0 || s.supply.wait < 0:
			t.Errorf("%q, %q: a duration that ends nothing: %+v", line, environment, s)
		case s.log.Handler().Enabled(t.Context(), slog.LevelError) != (s.logLevel <= slog.LevelError):
			t.Errorf("%q, %q: the log's level is not %s", line, environment, s.logLevel)
		}
	})
}
