package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// lookAgain is how often a watch looks at what it has no events of, such as the
// module repository.
const lookAgain = 15 * time.Second

// look makes a report of the nodes that lister lists. What says everything that is to
// be shown, to tell whether it has changed; show prints it.
type look func(ctx context.Context, lister cluster.NodeLister) (what string, show func() error, err error)

// watchNodes shows a report, and again when it has changed, until the command is
// interrupted: in place of the one before on a terminal, and below it elsewhere.
func watchNodes(cmd *cobra.Command, config *rest.Config, selector string, report look) error {
	ctx, stop := context.WithCancel(cmd.Context())
	defer stop()
	proto := rest.CopyConfig(config)
	proto.ContentType = runtime.ContentTypeProtobuf
	proto.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := corev1client.NewForConfig(proto)
	if err != nil {
		return fmt.Errorf("cannot create a client for the cluster: %w", err)
	}
	nodes, err := cluster.Follow(ctx, client.Nodes(), selector)
	if err != nil {
		return err
	}
	shown := false
	var before string
	for {
		what, show, err := report(ctx, nodes)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !shown:
			return err
		case err != nil:
			// It may pass, as the first report did.
			what = "Error: " + printout.Lines(apierror.Reword(err, caller(cmd)).Error()) + "\n"
			show = func() error { _, err := io.WriteString(cmd.ErrOrStderr(), what); return err }
		}
		if what != before {
			if err := separate(cmd.OutOrStdout(), shown); err != nil {
				return err
			}
			if err := show(); err != nil {
				return err
			}
		}
		before, shown = what, true
		if err := nodes.Next(ctx, lookAgain); err != nil {
			return err
		}
	}
}

// separate makes room for the next report.
func separate(w io.Writer, shown bool) error {
	text := ""
	switch {
	case terminal(w):
		text = "\x1b[2J\x1b[H"
	case shown:
		text = "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}
