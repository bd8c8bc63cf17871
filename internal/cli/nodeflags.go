package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/webpage"
)

// nodeFlags say which nodes are meant: those of the live cluster, of a saved
// list, or kernels without any.
type nodeFlags struct {
	kube           kubeFlags
	selector, from string
	kernels, archs []string
}

func (n *nodeFlags) register(cmd *cobra.Command) {
	fl := cmd.Flags()
	n.kube.register(cmd)
	fl.StringVarP(&n.selector, "selector", "l", "", "look only at nodes with these labels, such as kubernetes.io/arch=arm64")
	fl.StringVar(&n.from, "nodes-from", "", "no cluster: a saved `kubectl get nodes -o json|yaml`, or a list of kernel releases; - is stdin")
	fl.StringSliceVar(&n.kernels, "kernel", nil, "no cluster: a kernel release, as uname -r prints it; repeatable")
	fl.StringSliceVar(&n.archs, "arch", []string{"amd64"}, "architecture of --kernel: amd64 or arm64; repeatable")
	// The usage above is in backquotes for people; the flag's value is a file.
	fl.Lookup("nodes-from").Usage = "no cluster: `FILE` with a saved kubectl get nodes -o json|yaml, or with a kernel release on each line; - is stdin"
	cmd.MarkFlagsMutuallyExclusive("nodes-from", "kernel")
	cmd.MarkFlagsMutuallyExclusive("nodes-from", "selector")
	cmd.MarkFlagsMutuallyExclusive("kernel", "selector")
	complete(cmd, "selector", cobra.NoFileCompletions)
	complete(cmd, "kernel", n.kube.completeKernels)
	complete(cmd, "arch", cobra.FixedCompletions([]string{"amd64", "arm64"}, cobra.ShellCompDirectiveNoFileComp))
}

// where says for people which nodes are looked at.
func (n *nodeFlags) where() webpage.Where {
	switch {
	case len(n.kernels) > 0:
		return webpage.Where{Instead: "Kernels given by --kernel, without a cluster", Made: time.Now()}
	case n.from == "-":
		return webpage.Where{Instead: "Nodes from standard input, without a cluster", Made: time.Now()}
	case n.from != "":
		return webpage.Where{Instead: "Nodes from " + filepath.Base(n.from) + ", without a cluster", Made: time.Now()}
	}
	return n.kube.where()
}

// live tells whether the nodes are those of a cluster that can be asked.
func (n *nodeFlags) live() bool { return n.from == "" && len(n.kernels) == 0 }

// nodes reads the nodes, and marks those that targets leave out.
func (n *nodeFlags) nodes(ctx context.Context, stdin io.Reader, targets cluster.Targets) ([]cluster.Node, error) {
	switch {
	case len(n.kernels) > 0:
		var list strings.Builder
		for _, kernel := range n.kernels {
			for _, arch := range n.archs {
				fmt.Fprintln(&list, kernel, arch)
			}
		}
		nodes, err := cluster.ReadNodes([]byte(list.String()))
		if err != nil {
			return nil, fmt.Errorf("--kernel, --arch: %w", err)
		}
		return nodes, nil
	case n.from != "":
		text, err := readAll(ctx, n.from, stdin)
		if err != nil {
			return nil, fmt.Errorf("--nodes-from: %w", unreadable(n.from, err))
		}
		nodes, err := cluster.ReadNodesFor(text, targets)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.from, err)
		}
		return nodes, nil
	}
	if _, err := n.kube.restConfig(); err != nil {
		return nil, fmt.Errorf("%w Or give the kernels by --nodes-from or --kernel", err)
	}
	nodes, err := n.liveNodes(ctx, targets)
	if apierrors.IsForbidden(err) {
		return nil, fmt.Errorf("%w. Or ask an administrator to save the nodes for --nodes-from: kubectl get nodes -o json", err)
	}
	return nodes, err
}

func (n *nodeFlags) liveNodes(ctx context.Context, targets cluster.Targets) ([]cluster.Node, error) {
	config, err := n.kube.restConfig()
	if err != nil {
		return nil, err
	}
	lister, err := cluster.NewNodeLister(config)
	if err != nil {
		return nil, err
	}
	nodes, err := cluster.ListNodes(ctx, lister, n.selector, targets)
	switch {
	case err != nil:
		return nil, err
	case len(nodes) == 0 && n.selector != "":
		return nil, fmt.Errorf("no node with labels %s found", n.selector)
	case len(nodes) == 0:
		return nil, errors.New("the cluster has no nodes. Add a node, or choose another context with --context")
	}
	return nodes, nil
}

// unreadable words an error of reading a file.
func unreadable(name string, err error) error {
	path := (*fs.PathError)(nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("file %s not found", name)
	case errors.As(err, &path):
		return fmt.Errorf("cannot read %s: %w", name, path.Err)
	}
	return fmt.Errorf("cannot read %s: %w", name, err)
}

// maxInput bounds what is read, in bytes: 15,000 nodes as JSON have some 250 MiB.
const maxInput = 512 << 20

// readAll reads a file, or stdin when its name is -.
func readAll(ctx context.Context, name string, stdin io.Reader) ([]byte, error) {
	if name != "-" {
		file, err := openFile(ctx, name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // only read
		stdin = file
	}
	if stdin == nil {
		return nil, errors.New("there is no standard input")
	}
	data, err := io.ReadAll(io.LimitReader(stdin, maxInput+1))
	if err == nil && len(data) > maxInput {
		return nil, fmt.Errorf("it is larger than %d MiB", maxInput>>20)
	}
	return data, err
}
