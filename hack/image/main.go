// Command image makes the container image of the agent or of the controller without Docker: for each
// architecture the static program, CA certificates and licences, nothing else,
// as an index, with a list of what is in it (SPDX) as a referrer of each image.
// The same programs give the same bytes. `make image` runs it:
//
//	go run ./hack/image --binaries bin --output oci:dist/agent:v1.0.0 [--output REGISTRY/REPO:TAG]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kubeshark/kubeshark-pfring/hack/internal/licenses"
	"github.com/kubeshark/kubeshark-pfring/internal/sourcedate"
	"github.com/kubeshark/kubeshark-pfring/module/image"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		os.Exit(1)
	}
}

func command() *cobra.Command {
	var o Options
	var source string
	var outputs []string
	var remoteOptions image.RemoteOptions
	cmd := &cobra.Command{
		Use: "image", Short: "Make the container image of a program without Docker", Args: cobra.NoArgs, SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if descriptions[o.program()] == "" {
				return fmt.Errorf("unknown --program %q: must be pfring-agent or pfring-controller", o.Program)
			}
			var err error
			if o.Created, err = sourcedate.Get(sourcedate.Epoch()); err != nil {
				return err
			}
			if o.License, err = os.ReadFile(filepath.Join(source, "LICENSE")); err != nil {
				return err
			}
			if o.Modules, err = licenses.Of(cmd.Context(), source, "./cmd/"+o.program()); err != nil {
				return err
			}
			img, err := Build(o)
			if err != nil {
				return err
			}
			remote, err := image.NewRemote(remoteOptions)
			if err != nil {
				return err
			}
			for _, output := range outputs {
				if err := write(cmd, img, output, remote); err != nil {
					return err
				}
			}
			return nil
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&source, "source", ".", "this repository, to read licences from")
	fl.StringVar(&o.Program, "program", "pfring-agent", "pfring-agent or pfring-controller")
	fl.StringVar(&o.Binaries, "binaries", "bin", "folder with PROGRAM-amd64 and PROGRAM-arm64")
	fl.StringSliceVar(&o.Archs, "arch", []string{"amd64", "arm64"}, "architectures")
	fl.StringVar(&o.Version, "version", "devel", "version label")
	fl.StringVar(&o.Revision, "revision", "", "label with the source's commit")
	fl.StringArrayVar(&outputs, "output", nil, "oci:DIR:TAG, docker-archive:FILE:NAME:TAG (one architecture) or REGISTRY/REPOSITORY:TAG; repeatable")
	fl.BoolVar(&remoteOptions.PlainHTTP, "plain-http", false, "push without TLS")
	return cmd
}

func write(cmd *cobra.Command, img *image.Image, output string, remote *image.Remote) error {
	target, err := image.ParseTarget(output, remote)
	if err != nil {
		return err
	}
	if target.Tag() == "" {
		return errors.New("--output " + output + " has no tag")
	}
	written, err := target.Write(cmd.Context(), []image.Named{{Tag: target.Tag(), Image: img}})
	if err != nil {
		return err
	}
	digest, err := img.Digest()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", written[0], digest)
	return err
}
