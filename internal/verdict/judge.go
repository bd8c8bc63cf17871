package verdict

import (
	"slices"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// Judge judges nodes, and remembers what is the same for many of them.
type Judge struct {
	platforms map[cluster.Platform]cluster.PlatformInfo
	recipes   map[[2]string]error
}

// NewJudge returns a judge.
func NewJudge() *Judge {
	return &Judge{platforms: map[cluster.Platform]cluster.PlatformInfo{}, recipes: map[[2]string]error{}}
}

func (j *Judge) platform(p cluster.Platform) cluster.PlatformInfo {
	info, known := j.platforms[p]
	if !known {
		info = p.Describe()
		j.platforms[p] = info
	}
	return info
}

// Asks tells whether it matters what a source has for n's kernel.
func (j *Judge) Asks(n cluster.Node) bool {
	return !n.Excluded && n.Kernel != "" && supports(n.Arch) && j.platform(n.Platform).Policy != cluster.Never
}

// Refuses says why no module is of use on n, whatever its kernel: its platform takes
// none, or there is no agent for its architecture. "" where one may be.
func (j *Judge) Refuses(n cluster.Node) string {
	if v := j.Node(n, Answer{}); v.Reason == PlatformForbids || v.Reason == ArchUnsupported {
		return v.Message
	}
	return ""
}

// Lacking is what holds on a node that found no module for its kernel, as its agent
// says or a repository.
func (j *Judge) Lacking(n cluster.Node) Verdict {
	n.Excluded = false
	return j.Node(n, Answer{Supported: No, Reason: string(outcome.NoModuleForKernel), Remedy: BuildRemedy(n.Kernel)})
}

// AnyKernel is a remedy that holds for all kernels, made from that for one.
func AnyKernel(remedy, kernel string) string {
	return strings.Replace(remedy, " --kernel "+printout.Shell(kernel)+" ", " ", 1)
}

// supports tells whether there is an agent for an architecture.
func supports(arch string) bool { return arch == "amd64" || arch == "arm64" }

// Node decides for one node, of whose kernel a source says a. What its platform
// forbids comes first, since no module helps there.
func (j *Judge) Node(n cluster.Node, a Answer) Verdict {
	info := j.platform(n.Platform)
	v := Verdict{Answer: a}
	say := func(c Can, reason, message, remedy string) {
		v.Supported, v.Reason, v.Message, v.Remedy, v.Source = c, reason, message, remedy, info.Source
	}
	switch {
	case n.Excluded:
		say(Excluded, NotSelected, leftOut(n), "")
		v.Source = ""
	case info.Policy == cluster.Never:
		say(No, PlatformForbids, about(info), info.Remedy)
	case n.Kernel == "" || n.Arch == "":
		say(Unknown, NotReported, "The node has not reported its kernel.",
			"Wait for its kubelet, or inspect the node: kubectl describe node "+printout.Shell(n.Name))
	case !supports(n.Arch):
		say(No, ArchUnsupported, "The agent is not available for the architecture "+n.Arch+": it is built for amd64 and arm64.",
			"Leave these nodes out with agent.affinity, agent.nodeSelector or kmm.selector, as the agent's default affinity does.")
		v.Source = ""
	case otherBuild(n, a):
		say(No, string(outcome.OtherBuild), "The modules for this kernel release were built for "+strings.Join(a.Builds, ", ")+", which "+n.OSImage+" does not run.",
			"Build PF_RING on a node like this one and add it to the repository: "+buildCommand(n.Kernel)+" --selector kubernetes.io/hostname="+printout.Shell(n.Name)+" (docs/build.md)")
		v.Source = ""
	case info.Policy == cluster.SignedOnly && a.Supported.Good() && !a.Signed:
		say(No, PlatformSigned, about(info), info.Remedy)
	case info.Policy == cluster.SignedOnly && a.Supported.Good():
		say(Unknown, PlatformUnclear, about(info)+" The API does not show whether the node's kernel trusts the key of the module's signature.", info.Remedy)
	case info.Policy == cluster.Unclear && a.Supported.Good():
		say(Unknown, PlatformUnclear, about(info), info.Remedy)
	case n.Platform != cluster.Generic && slices.Contains([]Can{No, CannotBeBuilt}, a.Supported):
		v.Remedy, v.Source = info.Remedy, info.Source
	case n.Platform != cluster.Generic && v.Message == "":
		v.Message, v.Source = about(info), info.Source
	case a.Supported == No && a.Reason == string(outcome.NoModuleForKernel):
		v.Remedy = j.buildable(n, a.Remedy)
	}
	return v
}

// otherBuild tells whether all modules that a source has for the node's kernel
// release were built for builds of it that the node's system does not run.
func otherBuild(n cluster.Node, a Answer) bool {
	return a.Supported == Yes && len(a.Builds) > 0 && !slices.ContainsFunc(a.Builds, func(build string) bool { return mayRun(n.OSImage, build) })
}

// ubuntuRelease is in what uname -v prints where Ubuntu built a kernel for a release
// other than the one that it was made for: #58~20.04.1-Ubuntu.
var ubuntuRelease = lazyregexp.New(`^#[0-9]+~([0-9]{2}\.[0-9]{2})(\.[0-9]+)?-Ubuntu\b`)

// mayRun tells whether a node of this system may run this build of its kernel
// release, as far as its Node object shows: it has no uname -v.
func mayRun(osImage, build string) bool {
	m := ubuntuRelease().FindStringSubmatch(build)
	system, ubuntu := strings.CutPrefix(osImage, "Ubuntu ")
	return m == nil || !ubuntu || strings.HasPrefix(system, m[1])
}

// leftOut says why a node does not count.
func leftOut(n cluster.Node) string {
	if n.LeftOut == "" {
		return "The values do not select this node."
	}
	return "The release excludes this node: " + n.LeftOut + "."
}

// about says why a platform is special, beginning with its name.
func about(info cluster.PlatformInfo) string {
	if first, _, _ := strings.Cut(info.Name, " "); strings.HasPrefix(info.Why, first) {
		return info.Why
	}
	return info.Name + ": " + info.Why
}

// buildable is the remedy for a kernel without a module: that of the source, unless
// nothing is known that builds on the node's system.
func (j *Judge) buildable(n cluster.Node, remedy string) string {
	if n.OSImage == "" || !strings.Contains(remedy, "module build") {
		return remedy
	}
	key := [2]string{n.OSImage, n.Kernel}
	err, asked := j.recipes[key]
	if !asked {
		_, err = build.RecipeForKernel(n.OSImage, n.Kernel)
		j.recipes[key] = err
	}
	if err == nil {
		return remedy
	}
	what := "on " + n.OSImage
	if _, err := build.RecipeFor(n.OSImage); err == nil {
		what = "for this kernel, which is not a kernel of " + n.OSImage
	}
	return "No recipe builds " + what + ". Build there with your own script: " + buildCommand(n.Kernel) + " --image IMAGE --script FILE (docs/build.md)"
}

// BuildRemedy is what to do about a kernel that a repository has no module for.
func BuildRemedy(kernel string) string {
	return "Build PF_RING for it and add it to the repository: " + buildCommand(kernel) + " (docs/build.md)"
}

func buildCommand(kernel string) string {
	if !build.ValidRelease(kernel) {
		return "pfring module build --repository DIR"
	}
	return "pfring module build --kernel " + printout.Shell(kernel) + " --repository DIR"
}
