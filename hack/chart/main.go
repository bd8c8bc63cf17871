// Command chart packs the chart, the same bytes each time (helm package writes
// times of its own), and pushes it as an OCI artifact by Helm's own client.
// `make chart` runs it:
//
//	go run ./hack/chart --output dist/release [--push oci://REGISTRY/REPOSITORY] [--release v0.1.0]
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/internal/atomicfile"
	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

type flags struct {
	output, push, release string
	plainHTTP             bool
}

func command() *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use: "chart", Short: "Pack the chart, and push it", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.output, "output", "dist/release", "folder for the archive")
	fl.StringVar(&f.push, "push", "", "push to oci://REGISTRY/REPOSITORY too; the chart's name and version are added")
	fl.StringVar(&f.release, "release", "", "fail unless the chart has this version, such as v0.1.0; a value that is not a release version is ignored")
	fl.BoolVar(&f.plainHTTP, "plain-http", false, "push without TLS")
	return cmd
}

func run(cmd *cobra.Command, f flags) error {
	at, err := sourcedate.Get(sourcedate.Epoch())
	if err != nil {
		return err
	}
	packed, err := pack(at)
	if err != nil {
		return err
	}
	if err := packed.isOf(f.release); err != nil {
		return err
	}
	if err := os.MkdirAll(f.output, 0o755); err != nil {
		return err
	}
	file := filepath.Join(f.output, packed.fileName())
	if err := atomicfile.Replace(file, packed.data, 0o644); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), file); err != nil || f.push == "" {
		return err
	}
	// hack/prov may have signed it, in the same folder.
	provenance, err := os.ReadFile(file + ".prov")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	pushed, err := packed.push(f.push, f.plainHTTP, at, provenance)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), pushed)
	return err
}
