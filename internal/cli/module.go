package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newModuleCmd(o *Options) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "module",
		GroupID: groupModules,
		Short:   "Inspect and build kernel modules, and maintain a repository of them",
		Long: `Inspect and build kernel modules, and maintain a repository of them.

Exit codes: 0 done; 1 a module does not fit, or was not built; 2 it could not be carried
out.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.Example = examples(o, `module build -f values.yaml --repository ./repository --key pfring.key
module inspect pf_ring.ko
module index ./repository --key pfring.key
module push ./repository oci://registry.example.com/pf-ring`)
	cmd.AddCommand(newModuleInspectCmd(o), newModuleBuildCmd(o), newModuleIndexCmd(o), newModuleSignCmd(o), newModuleKeygenCmd(o),
		newModulePackCmd(o), newModulePushCmd(o), newModuleMirrorCmd(o), newModuleSignKernelCmd(o))
	return cmd
}

// passwordEnv holds the password of a minisign secret key, for pipelines.
const passwordEnv = "PFRING_KEY_PASSWORD" // #nosec G101 -- the variable's name

// password takes the password from the environment, or asks for it on the
// terminal.
func password(cmd *cobra.Command, prompt string) (string, error) {
	if p, ok := os.LookupEnv(passwordEnv); ok {
		return p, nil
	}
	in, ok := cmd.InOrStdin().(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", errors.New("there is no terminal to ask on; set " + passwordEnv)
	}
	if _, err := fmt.Fprint(cmd.ErrOrStderr(), prompt); err != nil {
		return "", err
	}
	p, err := term.ReadPassword(int(in.Fd()))
	if err == nil {
		_, err = fmt.Fprintln(cmd.ErrOrStderr())
	}
	return string(p), err
}

// lifetime reads a duration that may also be in days, such as 90d.
func lifetime(text string) (time.Duration, error) {
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		n, err = strconv.Atoi(days)
		d = time.Duration(n) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d < 0 {
		return 0, fmt.Errorf("invalid --expires %q: must be a duration such as 90d or 720h, or 0 for never", text)
	}
	return d, nil
}
