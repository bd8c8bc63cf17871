package build

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Target is a kernel to build for.
type Target struct {
	// Kernel is its release and Arch the GOARCH name.
	Kernel, Arch string
	// Nodes are some that run it, on any of which the build may go; all have the
	// same OSImage.
	Nodes   []string
	OSImage string
	Recipe  Recipe
}

func (t Target) String() string { return t.Kernel + " " + t.Arch }

// Skipped is a kernel for which nothing can be built, and why.
type Skipped struct {
	Kernel, Arch string
	Err          error
}

// Choice says what to build for.
type Choice struct {
	// Kernels and Archs are the only ones to build for; empty means all.
	Kernels, Archs []string
	// Has tells whether there is a module already; nil means there is none.
	Has func(kernel, arch string) bool
	// Refuses says why no module is of use on a node, or "": nothing is built for
	// kernels of such nodes alone. nil refuses none.
	Refuses func(cluster.Node) string
	// AnySystem says that no recipe is needed, since image and script are given.
	AnySystem bool
}

// maxNodes bounds the nodes that a Job may choose from.
const maxNodes = 8

// goodRelease is what a kernel release consists of. What has other characters,
// such as "/", goes into no file name, label or shell, and Linux has room for 64
// (__NEW_UTS_LEN).
var goodRelease = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,63}$`)

// Plan finds the kernels to build for among those of nodes, sorted. An error
// means that the choice itself makes no sense, such as a kernel that no node
// runs.
func Plan(nodes []cluster.Node, c Choice) ([]Target, []Skipped, error) {
	for _, kernel := range c.Kernels {
		if !goodRelease().MatchString(kernel) {
			return nil, nil, fmt.Errorf("invalid kernel release %q: must have at most 64 letters, digits and . _ + ~ -, as uname -r prints it", kernel)
		}
	}
	groups := map[[2]string][]cluster.Node{}
	for _, n := range nodes {
		if n.OS == "" || n.OS == "linux" {
			groups[[2]string{n.Kernel, n.Arch}] = append(groups[[2]string{n.Kernel, n.Arch}], n)
		}
	}
	if err := c.known(groups); err != nil {
		return nil, nil, err
	}
	var targets []Target
	var skipped []Skipped
	keys := slices.SortedFunc(maps.Keys(groups), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, key := range keys {
		if !c.wants(key[0], key[1], groups[key]) {
			continue
		}
		t, err := c.target(key[0], key[1], groups[key])
		if err != nil {
			skipped = append(skipped, Skipped{key[0], key[1], err})
			continue
		}
		targets = append(targets, t)
	}
	return targets, skipped, nil
}

// known holds the kernels and architectures asked for against those there are.
func (c Choice) known(groups map[[2]string][]cluster.Node) error {
	for _, kernel := range c.Kernels {
		found := false
		var all []string
		for key := range groups {
			found = found || key[0] == kernel && (len(c.Archs) == 0 || slices.Contains(c.Archs, key[1]))
			all = append(all, strings.Join(key[:], " "))
		}
		if !found {
			slices.Sort(all)
			return fmt.Errorf("no node runs kernel %s, only %s. For a kernel that no node runs yet, use --print", strings.TrimSpace(kernel+" "+strings.Join(c.Archs, ",")), strings.Join(all, ", "))
		}
	}
	return nil
}

func (c Choice) wants(kernel, arch string, nodes []cluster.Node) bool {
	switch {
	case len(c.Kernels) > 0 && !slices.Contains(c.Kernels, kernel), len(c.Archs) > 0 && !slices.Contains(c.Archs, arch):
		return false
	case len(c.Kernels) > 0:
		return true
	}
	if !slices.ContainsFunc(nodes, func(n cluster.Node) bool { return !n.Excluded && n.Kernel != "" && c.refuses(n) == "" }) {
		return false // no module would be loaded there
	}
	return c.Has == nil || !c.Has(kernel, arch)
}

func (c Choice) refuses(n cluster.Node) string {
	if c.Refuses == nil {
		return ""
	}
	return c.Refuses(n)
}

// target picks nodes for a build: of those that may take a pod, the ones that
// run the system that most of them run.
func (c Choice) target(kernel, arch string, nodes []cluster.Node) (Target, error) {
	switch {
	case kernel == "" || arch == "":
		return Target{}, errors.New("the node has not reported its kernel")
	case !goodRelease().MatchString(kernel):
		return Target{}, fmt.Errorf("invalid kernel release %q: a module cannot be named after it", kernel)
	}
	byImage := map[string][]string{}
	recipes := map[string]Recipe{}
	var why error
	for _, n := range nodes {
		recipe, err := RecipeForNode(n)
		if refused := c.refuses(n); refused != "" {
			why = errors.New(refused)
			continue
		}
		switch {
		case err != nil && !c.AnySystem:
			why = err
		case !n.Ready || n.Cordoned:
			why = cmp.Or(why, fmt.Errorf("no node with this kernel accepts pods: %s is not ready or cordoned", n.Name))
		default:
			byImage[n.OSImage] = append(byImage[n.OSImage], n.Name)
			recipes[n.OSImage] = recipe
		}
	}
	if len(byImage) == 0 {
		return Target{}, why
	}
	images := slices.SortedFunc(maps.Keys(byImage), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(byImage[b]), len(byImage[a])), cmp.Compare(a, b))
	})
	names := byImage[images[0]]
	slices.Sort(names)
	return Target{Kernel: kernel, Arch: arch, Nodes: names[:min(len(names), maxNodes)], OSImage: images[0], Recipe: recipes[images[0]]}, nil
}
