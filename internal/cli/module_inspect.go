package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/cli/flags"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/internal/waiting"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// inspected is one file's facts, as JSON.
type inspected struct {
	File        string `json:"file"`
	Compression string `json:"compression"`
	module.Info
	// Fits is absent without --kernel and --arch.
	Fits *bool  `json:"fits,omitempty"`
	Why  string `json:"why,omitempty"`
}

type inspectFlags struct {
	output, kernel, arch, name string
	symbols                    bool
}

func newModuleInspectCmd(o *Options) *cobra.Command {
	f := &inspectFlags{}
	cmd := &cobra.Command{
		Use:   "inspect FILE|URL...",
		Short: "Show a kernel module's metadata, and whether it fits a node",
		Long: `Show a kernel module's metadata, and whether it fits a node.

Reads .ko files, plain or compressed by gzip, xz or zstd, from disk, https:// or s3://.
With --kernel or --arch the exit code is 1 if a file does not fit. The kernel release must
be exactly what uname -r prints.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd, f, args) },
	}
	cmd.Example = examples(o, "module inspect pf_ring.ko.zst\nmodule inspect pf_ring.ko --kernel 6.1.0-56-amd64 --arch amd64 -o json")
	fl := cmd.Flags()
	fl.StringVarP(&f.output, "output", "o", "table", "table or json")
	fl.StringVar(&f.kernel, "kernel", "", "kernel release of a node, as uname -r prints it")
	fl.StringVar(&f.arch, "arch", "", "architecture of a node, such as amd64 or arm64")
	fl.StringVar(&f.name, "name", "pf_ring", "name that the module must have")
	fl.BoolVar(&f.symbols, "symbols", false, "list the kernel symbols that the module requires")
	registerTimeout(cmd)
	complete(cmd, "output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
	complete(cmd, "arch", cobra.FixedCompletions([]string{"amd64", "arm64"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runInspect(cmd *cobra.Command, f *inspectFlags, args []string) error {
	if err := flags.OneOf("output", f.output, "table", "json"); err != nil {
		return err
	}
	if f.arch != "" {
		arch, err := module.ParseArch(f.arch)
		if err != nil {
			return fmt.Errorf("--arch: %w", err)
		}
		f.arch = arch
	}
	list := []inspected{}
	fits := true
	var failed []error
	for _, name := range args {
		one, err := inspect(cmd, name, f)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		fits = fits && (one.Fits == nil || *one.Fits)
		list = append(list, one)
	}
	if len(list) > 0 || f.output == "json" && len(args) > 1 {
		if err := printInspected(cmd.OutOrStdout(), f.output, list, len(args)); err != nil {
			return err
		}
	}
	return concluded(failed, fits)
}

// concluded is what is wrong with all the files together. One that could not be
// read weighs more than one that is not a module.
func concluded(failed []error, fits bool) error {
	for _, err := range failed {
		if ExitCode(err) != outcome.ExitNo {
			return &exitError{code: outcome.ExitError, err: errors.Join(failed...)}
		}
	}
	if len(failed) > 0 {
		return no(errors.Join(failed...))
	}
	if !fits {
		return no(nil)
	}
	return nil
}

func inspect(cmd *cobra.Command, name string, f *inspectFlags) (inspected, error) {
	data, err := readModule(cmd, name)
	if err != nil {
		return inspected{}, err
	}
	ko, format, err := module.Decompress(data, module.DefaultMaxSize)
	var info module.Info
	if err == nil {
		info, err = module.Inspect(ko)
	}
	if err != nil {
		return inspected{}, no(fmt.Errorf("%s: %w", name, err))
	}
	one := inspected{File: name, Compression: format, Info: info}
	if !f.symbols {
		one.Symbols = nil
	}
	if f.kernel != "" || f.arch != "" {
		err := info.Check(f.kernel, f.arch, f.name)
		fits := err == nil
		one.Fits = &fits
		if e := (*module.Error)(nil); errors.As(err, &e) {
			one.Why = e.Why
		}
	}
	return one, nil
}

// readModule reads a file, or what a URL leads to.
func readModule(cmd *cobra.Command, name string) ([]byte, error) {
	if !strings.Contains(name, "://") {
		return readBounded(cmd.Context(), name)
	}
	i := strings.LastIndexByte(name, '/')
	limit, err := requestTimeout(cmd)
	if err != nil {
		return nil, err
	}
	source, err := module.OpenSource(module.SourceOptions{URL: name[:i], UserAgent: userAgent(), Log: sourceLog(cmd), UnknownHostFinal: true})
	if err != nil {
		return nil, err
	}
	defer waiting.Begin(cmd.Context(), source.String())()
	data, err := bounded{source, limit}.Fetch(cmd.Context(), name[i+1:], module.DefaultMaxSize)
	return data, advised(err, verdict.Caller{Argument: true, NoCAFile: true})
}

// advised puts the remedy for the caller into an error of a repository.
func advised(err error, c verdict.Caller) error {
	e := (*module.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	own := *e
	own.Do = c.Remedy(e)
	return &own
}

// readBounded reads no more than a module may have: the path may be a device, or
// a disk image.
func readBounded(ctx context.Context, name string) ([]byte, error) {
	file, err := openFile(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	data, err := io.ReadAll(io.LimitReader(file, module.DefaultMaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the module: %w", err)
	}
	if len(data) > module.DefaultMaxSize {
		return nil, no(fmt.Errorf("%s: larger than %d MiB, the limit for a module", name, module.DefaultMaxSize>>20))
	}
	return data, nil
}

// printInspected prints one document: a list if several files were asked for.
func printInspected(w io.Writer, format string, list []inspected, asked int) error {
	if format == "json" {
		if asked == 1 {
			return printout.JSON(w, list[0])
		}
		return printout.JSON(w, list)
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, one := range list {
		for _, row := range one.rows() {
			if row[1] == "" {
				continue
			}
			if _, err := fmt.Fprintf(t, "%s\t%s\n", row[0], row[1]); err != nil {
				return err
			}
		}
	}
	return t.Flush()
}

// caveat says what a yes does not cover.
func (m inspected) caveat() string {
	_, flags, _ := strings.Cut(m.Vermagic, " ")
	if flags = strings.TrimSpace(flags); flags == "" {
		return ""
	}
	return fmt.Sprintf(" (as far as checked; a kernel also compares the flags %q)", flags)
}

func (m inspected) rows() [][2]string {
	signed := "no"
	if m.Signed {
		signed = "yes, by " + m.Signer
	}
	retpoline := ""
	if m.Retpoline {
		retpoline = "yes"
	}
	rows := [][2]string{
		{"File", fmt.Sprintf("%s (%s, %d bytes uncompressed)", m.File, m.Compression, m.Size)},
		{"Module", m.Name}, {"Version", m.Version}, {"Kernel release", m.KernelRelease}, {"Architecture", m.Arch},
		{"Vermagic", m.Vermagic}, {"Source version", m.SrcVersion}, {"License", m.License}, {"Description", m.Description},
		{"Depends on", strings.Join(m.Depends, ", ")}, {"Signed", signed},
		{"Retpoline", retpoline}, {"RHEL version", m.RHELVersion},
	}
	for i, p := range m.Parameters {
		key := ""
		if i == 0 {
			key = "Parameters"
		}
		rows = append(rows, [2]string{key, strings.TrimSpace(fmt.Sprintf("%s (%s) %s", p.Name, p.Type, p.Description))})
	}
	for i, s := range m.Symbols {
		key := ""
		if i == 0 {
			key = "Symbols"
		}
		rows = append(rows, [2]string{key, fmt.Sprintf("0x%08x %s", s.CRC, s.Name)})
	}
	if m.Fits != nil {
		rows = append(rows, [2]string{"Fits", map[bool]string{true: "yes" + m.caveat(), false: "no: " + m.Why}[*m.Fits]})
	}
	return rows
}
