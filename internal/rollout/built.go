package rollout

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/supply"
	"github.com/kubeshark/kubeshark-pfring/internal/verdict"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

// built is what the supply controller has said, which may be nothing yet.
type built struct {
	status *supply.Status
	// controller names its Deployment.
	controller string
	now        time.Time
}

// readBuilt reads again what the controller says, where there is one. What it
// said before stays if that cannot be read now.
func (c *Client) readBuilt(ctx context.Context, f *facts) (warnings []string) {
	if !f.release.Supplied {
		return nil
	}
	status, err := supply.ReadStatus(ctx, c.core.ConfigMaps(f.release.Namespace), f.release.supplyNames())
	if words, ok := apierror.Describe(err, apierror.Caller{Command: "status"}); ok && !apierrors.IsNotFound(err) {
		return []string{"what the cluster builds is not shown: " + words.String()}
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return []string{"what the cluster builds is not shown: " + err.Error()}
	}
	f.built = &built{status: status, controller: f.release.supplyNames().Controller, now: c.now()}
	if status == nil {
		return nil
	}
	for _, p := range status.Problems {
		warnings = append(warnings, strings.TrimSpace("the controller reports a problem ("+string(p.Reason)+"): "+strings.TrimSuffix(p.Message, ".")+". "+p.Remedy))
	}
	return warnings
}

// explain says of a node that fell back for want of a module what happens to
// its kernel's.
func (b *built) explain(n *Node) {
	if b == nil || n.State != Fallback && n.State != Failed {
		return
	}
	if b.refuses(n) {
		n.Message += "; the controller builds one module for a kernel release, and nodes may run several builds of it (uname -v)"
		n.Remedy = supply.OtherBuildRemedy
		return
	}
	if !wantsModule(n.Reason) {
		return
	}
	if b.status == nil {
		n.State, n.Message = Building, fmt.Sprintf("the controller, Deployment %s, has not reported anything yet", b.controller)
		n.Remedy = ""
		return
	}
	k := b.status.Find(n.Kernel, n.Arch)
	if k == nil {
		n.State, n.Message, n.Remedy = Building, "the controller has not processed this kernel yet", ""
		return
	}
	b.kernel(n, k)
}

func (b *built) kernel(n *Node, k *supply.KernelStatus) {
	n.Since, n.Step, n.Log = k.Since, k.Step, k.Log
	said, remedy := n.Message, n.Remedy
	a := verdict.Told(k)
	n.State, n.Remedy = Building, a.Remedy
	switch {
	case a.Supported == verdict.CannotBeBuilt && a.Reason == verdict.BuildFailed:
		b.failed(n, k)
	case a.Supported == verdict.CannotBeBuilt:
		n.State, n.Message = Unsupported, a.Message
	case a.Supported == verdict.Unknown:
		n.State, n.Message = Unknown, a.Message
	case a.Supported == verdict.Yes:
		n.Message = "its module is built, and the controller restarts the agent"
		if b.distrusts(n) {
			n.Message, n.Remedy = said+"; "+n.Message, remedy
		}
		if n.Reason == outcome.IndexExpired && b.now.Before(b.status.Index.Expires) {
			n.Message = fmt.Sprintf("%s; the index that the controller publishes is valid until %s", said, b.status.Index.Expires.UTC().Format(time.RFC3339))
			n.Remedy = "Set the node's clock, which is ahead. The controller restarts the agent."
		}
	case k.State == supply.Queued:
		n.Message = "its module is queued to be built"
	default:
		n.Message = "its module is being built"
		if k.Step != "" {
			n.Message += ": step " + k.Step
		}
		if k.Tries > 1 {
			n.Message += fmt.Sprintf(", try %d", k.Tries)
		}
	}
}

// distrusts tells whether a node fell back for a reason that a module which is built
// does not remove: its clock, its CA or its key.
func (b *built) distrusts(n *Node) bool {
	switch n.Reason {
	case outcome.SourceTLSUntrusted, outcome.SignatureInvalid, outcome.IndexExpired:
		return n.Message != ""
	}
	return false
}

func (b *built) failed(n *Node, k *supply.KernelStatus) {
	n.State = BuildFailed
	n.Message = fmt.Sprintf("%s: %s", k.Reason, k.Message)
	if line := build.Telling(k.Log); line != "" {
		n.Message += ": " + line
	}
	if pause := k.NextTry.Sub(b.now); pause > 0 {
		n.Message += "; next try in " + duration.HumanDuration(pause)
	}
}

// refuses tells whether a node's kernel does not take the module that the controller
// has built for kernels of its name.
func (b *built) refuses(n *Node) bool {
	if b.status == nil || n.Reason != outcome.OtherBuild && n.Reason != outcome.SymbolMismatch {
		return false
	}
	k := b.status.Find(n.Kernel, n.Arch)
	return k != nil && k.State == supply.Built
}

// wantsModule tells whether a node fell back since a repository had no module
// for it, or could not be asked.
func wantsModule(r outcome.Reason) bool {
	switch r {
	case outcome.NoModuleForKernel, outcome.SourceUnreachable, outcome.SourceTimeout, outcome.SourceTLSUntrusted, outcome.SignatureInvalid, outcome.IndexExpired:
		return true
	}
	return false
}
