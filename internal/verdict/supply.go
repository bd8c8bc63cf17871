package verdict

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/module/build"
)

// Supply is what is known of the controller that builds modules in the cluster.
type Supply struct {
	// Status is what it tells of itself; nil where there is none yet.
	Status *supply.Status
	// Unread is why its status could not be read, or "".
	Unread string
	// Version of PF_RING that it is to build; "" is the newest that fits.
	Version string
	// AnySystem says that the values have a build script of their own, so that no
	// recipe is needed.
	AnySystem bool
}

type kernelKey struct{ release, arch string }

// Lookup answers for the kernels of nodes. Where the controller does not tell of a
// kernel yet, it is judged by the same recipes by which the controller goes.
func (s Supply) Lookup(nodes []cluster.Node) Lookup {
	systems := map[kernelKey][]string{}
	for _, n := range nodes {
		k := kernelKey{n.Kernel, n.Arch}
		if !n.Excluded && n.OSImage != "" && !slices.Contains(systems[k], n.OSImage) {
			systems[k] = append(systems[k], n.OSImage)
		}
	}
	return func(kernel, arch string) Answer {
		if s.Status != nil {
			if found := s.Status.Find(kernel, arch); found != nil {
				return Told(found)
			}
		}
		return s.forecast(kernel, systems[kernelKey{kernel, arch}])
	}
}

// Told is what the controller says of a kernel.
func Told(k *supply.KernelStatus) Answer {
	a := Answer{Version: k.Version}
	state := k.State
	if state == supply.Queued && k.Reason != "" {
		state = supply.Failed // it waits to be tried again
	}
	switch state {
	case supply.Built, supply.Sourced:
		a.Supported, a.Present = Yes, true
	case supply.Queued:
		a.Supported, a.Reason, a.Version = WillBeBuilt, ToBeBuilt, ""
		a.Message = "The supply controller has queued a build for it" + since(k.Since) + "."
	case supply.Building:
		a.Supported, a.Reason, a.Version = WillBeBuilt, Building, ""
		a.Message = "The supply controller is building it" + since(k.Since) + step(k.Step) + "."
	case supply.Failed:
		a.Supported, a.Reason, a.Version = CannotBeBuilt, BuildFailed, ""
		a.Message = "The build failed: " + sentence(cmp.Or(k.Message, string(k.Reason)))
		if !k.NextTry.IsZero() {
			a.Message += " The next try begins at " + k.NextTry.UTC().Format(time.RFC3339) + "."
		}
		a.Remedy = cmp.Or(k.Remedy, "Read the build's log in the supply controller's status: pfring status -o yaml")
	case supply.Unsupported:
		a.Supported, a.Reason, a.Version = CannotBeBuilt, BuildUnsupported, ""
		a.Message = "It cannot be built: " + sentence(cmp.Or(k.Message, string(k.Reason)))
		a.Remedy = cmp.Or(k.Remedy, "Set tap.kernelModule.supply.builder.images and supply.builder.script, or name a repository that has the module in tap.kernelModule.source.url.")
	default:
		// A state of a newer controller.
		a.Supported, a.Reason, a.Message = Unknown, SupplyUnknown, "The supply controller reports its state as "+string(k.State)+"."
	}
	return a
}

// forecast is what the controller will do for a kernel of nodes with these systems.
func (s Supply) forecast(kernel string, systems []string) Answer {
	var why error
	buildable := s.AnySystem
	for _, system := range systems {
		if _, err := build.RecipeForKernel(system, kernel); err != nil {
			why = cmp.Or(why, err)
			continue
		}
		buildable = true
	}
	fit := build.VersionFor(kernel)
	if s.Version != "" {
		fit = build.FitOf(s.Version, kernel)
	}
	switch {
	case len(systems) == 0 && !s.AnySystem:
		return Answer{Supported: Unknown, Reason: BuildUntried, Message: "Whether it can be built depends on the system of its nodes, which is unknown.",
			Remedy: "Read the nodes: leave out --kernel, or set --nodes-from to a saved list of nodes."}
	case !buildable:
		return Answer{Supported: CannotBeBuilt, Reason: BuildUnsupported, Message: "It cannot be built in the cluster: " + sentence(withoutRemedy(why)),
			Remedy: "Set tap.kernelModule.supply.builder.script and supply.builder.images, or name a repository that has the module in tap.kernelModule.source.url."}
	case !build.ValidRelease(kernel):
		return Answer{Supported: CannotBeBuilt, Reason: BuildUnsupported, Message: "It cannot be built in the cluster: a module cannot be named after this kernel release.",
			Remedy: "Check what the node reports: kubectl get nodes -o wide"}
	case s.Unread != "":
		return Answer{Supported: Unknown, Reason: SupplyUnknown, Message: "A recipe can build it in the cluster, but the supply controller's status could not be read: " + sentence(s.Unread)}
	case !fit.Known:
		return Answer{Supported: Unknown, Reason: BuildUntried, Message: "The supply controller will try to build it: " + sentence(fit.Why),
			Remedy: "Install it and run pfring status, or try a build now: pfring module build --kernel " + kernel + " -o DIR"}
	}
	return Answer{Supported: WillBeBuilt, Reason: ToBeBuilt, Message: "The supply controller builds PF_RING " + fit.Version + " for it in the cluster."}
}

// withoutRemedy leaves out what module build's caller would do; here the values say.
func withoutRemedy(err error) string {
	if e := (*build.NoRecipe)(nil); errors.As(err, &e) {
		return e.Why
	}
	return err.Error()
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", since " + t.UTC().Format(time.RFC3339)
}

func step(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (step %s)", name)
}

// sentence ends a text with a full stop.
func sentence(text string) string { return strings.TrimRight(strings.TrimSpace(text), ".") + "." }

// Or asks first, and then where first has nothing that nodes take.
func Or(first, then Lookup) Lookup {
	return func(kernel, arch string) Answer {
		a := first(kernel, arch)
		if a.Supported == Yes {
			return a
		}
		b := then(kernel, arch)
		if !b.Supported.Good() && (a.Supported == Unknown || a.Present) {
			return a
		}
		return b
	}
}
