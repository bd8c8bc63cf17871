package controller

import (
	"cmp"
	"errors"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/supply/store"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

func isFull(err error) bool { return errors.Is(err, store.ErrFull) }

// words explain to people a build that gave no module.
type words struct {
	reason          supply.Reason
	message, remedy string
	log             []string
	// once means that the same build would fail again.
	once bool
}

// Bounds of what goes into the status, which holds the words of many kernels.
const (
	maxMessage = 1000
	maxLine    = 300
	maxLines   = 8
)

// explain turns a failure into words whose remedies are values.
func explain(err error, fit build.Fit) words {
	w := words{reason: supply.OtherFailure, message: inValues(err.Error())}
	var f *build.Failure
	switch {
	case isFull(err):
		w.reason, w.remedy = supply.StoreFull, cmp.Or(store.Remedy(err), "Set supply.store.type to persistentVolumeClaim or url.")
	case errors.As(err, &f):
		w.reason, w.remedy = causes[f.Cause].reason, causes[f.Cause].remedy
		w.log = f.Lines
		switch {
		case f.Cause == build.CauseScript:
			w.script(f, fit)
		case f.Cause == build.CauseRefused && limitRange().MatchString(f.Why):
			w.remedy = "Set supply.builder.resources to what the namespace's LimitRange allows, or raise that."
		}
	case apierrors.IsForbidden(err) && strings.Contains(err.Error(), "exceeded quota"):
		w.reason, w.remedy = causes[build.CauseQuota].reason, causes[build.CauseQuota].remedy
	case apierrors.IsForbidden(err):
		w.reason = supply.NotAllowed
		w.remedy = "Give the controller's service account the rights of its Role (docs/supply.md), and look for an admission policy that refuses Jobs."
	case apierrors.IsInvalid(err):
		w.remedy = "Correct supply.builder."
	}
	if w.reason == "" {
		w.reason = supply.OtherFailure
	}
	w.bound()
	return w
}

// causes are those whose reason does not depend on the log.
var causes = map[build.Cause]struct {
	reason supply.Reason
	remedy string
}{
	build.CausePodSecurity: {supply.PodSecurity, "Label the namespace for builds, which run as root: kubectl label namespace NAMESPACE pod-security.kubernetes.io/enforce=privileged --overwrite (baseline is enough without supply.builder.hostHeaders)."},
	build.CauseQuota:       {supply.QuotaExceeded, "Raise the namespace's ResourceQuota, or lower supply.builder.resources or supply.parallel."},
	build.CauseRefused:     {supply.PodRefused, "Look for an admission policy that refuses pods that run as root, and exempt Jobs with the label app.kubernetes.io/managed-by=pfring-controller."},
	build.CauseImage:       {supply.ImageFailed, "Set supply.builder.images to an image that the nodes can pull, and supply.builder.pullSecrets to its Secret."},
	build.CauseContainer:   {supply.PodRefused, "Read the events of the build's pod."},
	build.CauseTimeout:     {supply.TimedOut, "Raise supply.timeout, or give builds more CPU with supply.builder.resources."},
	build.CauseUnscheduled: {supply.NoNode, "Correct supply.builder.nodeSelector and supply.builder.tolerations, or lower supply.builder.resources.requests."},
	build.CauseMemory:      {supply.OutOfMemory, "Raise supply.builder.resources.limits.memory."},
	build.CauseLost:        {supply.PodLost, "The build is retried. If it keeps failing, read the events of the node."},
	build.CauseLog:         {supply.LogUnreadable, "Let the API server reach the kubelets' port 10250, and the controller read pods/log."},
	build.CauseRotated:     {supply.LogUnreadable, "Set containerLogMaxSize of the kubelets to 10Mi, their default, or more."},
	build.CauseEndless:     {supply.LogEndless, "Check supply.builder.script and supply.builder.images: a normal build prints about 100 KiB."},
	build.CauseNoModule:    {supply.NoModule, "Check supply.builder.script and supply.builder.images: the module must be at PFRING_OUT."},
	build.CauseModule:      {supply.WrongModule, "Check supply.builder.sourceURL, script and images: they build another module, version or kernel."},
}

var (
	// limitRange is what the admission plugin of that name says.
	limitRange = lazyregexp.New(`(maximum|minimum) [a-z.-]+ usage per (Container|Pod)|limit to request ratio`)

	noRoom    = lazyregexp.New(`(?i)no room|no space left`)
	noHeaders = lazyregexp.New(`there are no headers|headers .*could not be installed|could not be installed: .*headers|the headers in .* are for kernel`)
	noWay     = lazyregexp.New(`could not be read: is there a way|is there a way to|could not be fetched`)
	clang     = lazyregexp.New(`was built with clang`)
	otherSum  = lazyregexp.New(`not the one expected|holds no kernel/pf_ring\.c|has something other than files`)
)

// script finds the reason in what the build's script said.
func (w *words) script(f *build.Failure, fit build.Fit) {
	switch {
	case noRoom().MatchString(f.Why + strings.Join(f.Lines, "\n")):
		w.reason, w.remedy = supply.DiskFull, "Free disk space on the node, or set supply.builder.nodeSelector to nodes with room."
	case noHeaders().MatchString(f.Why), f.Step == "headers" && strings.Contains(f.Why, "could not be installed"):
		w.reason, w.remedy = supply.HeadersMissing, "Install the headers on the nodes and set supply.builder.hostHeaders, or set supply.builder.packageMirrors to a mirror that keeps them, or update the nodes' kernel."
	case otherSum().MatchString(f.Why):
		w.reason, w.remedy = supply.SourceMismatch, "Correct supply.builder.sourceURL and supply.builder.sourceSHA256."
	case noWay().MatchString(f.Why):
		w.reason, w.remedy = supply.NoEgress, "Allow egress to the address (networkPolicy.enabled does, where a NetworkPolicy denies it), or set supply.builder.proxy, packageMirrors or sourceURL."
	case clang().MatchString(f.Why):
		w.reason, w.remedy, w.once = supply.NoRecipe, "Set supply.builder.images and supply.builder.script to a builder with clang.", true
	case strings.HasPrefix(f.Why, "the script given left no module"):
		w.reason, w.remedy = supply.NoModule, causes[build.CauseNoModule].remedy
	case strings.HasPrefix(f.Why, "the script given "):
		w.reason, w.remedy = supply.CompileFailed, "Read the lines of the log, and correct supply.builder.script."
	case f.Step == "compile":
		w.reason, w.remedy = supply.CompileFailed, "Read the lines of the log. Set supply.pfringVersion and supply.builder.sourceURL to a version of PF_RING that supports this kernel."
		if !fit.Known {
			w.reason, w.once = supply.TooNew, true
			w.message += ": " + fit.Why
		}
	default:
		w.reason = supply.OtherFailure
	}
}

// inValues says with values what the messages of package build say with flags.
func inValues(text string) string { return flags.Replace(text) }

var flags = strings.NewReplacer(
	"give one with --image and --script", "give one with supply.builder.images and supply.builder.script",
	build.SetBuilder, "Set a builder with supply.builder.images and supply.builder.script",
	"name a mirror with --source-url, or a proxy", "name a mirror with supply.builder.sourceURL, or a proxy with supply.builder.proxy",
	" (--timeout)", " (supply.timeout)",
	" Name a namespace that may have privileged pods with -n; with --host-headers=false its level \"baseline\" is enough", "",
	" Free some, build fewer at a time with --parallel, or choose another namespace with -n", "",
	". Create it, or name another with -n", "",
	" Set --image to one that the nodes can reach, and --pull-secret to its Secret", "",
)

func (w *words) bound() {
	w.message, w.remedy = cut(strings.TrimSpace(w.message), maxMessage), cut(w.remedy, maxMessage)
	w.log = w.log[:min(len(w.log), maxLines)]
	for i := range w.log {
		w.log[i] = cut(w.log[i], maxLine)
	}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + " …"
}
