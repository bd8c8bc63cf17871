package prereq

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func apiChecks() []Check {
	return []Check{
		{
			ID: "api.reachable", Title: "the API server answers",
			Why:  "Every other check depends on it.",
			look: apiReachable,
		},
		{
			ID: "api.version", Title: "Kubernetes is new enough", Needs: []string{"api.reachable"},
			Why:  "The chart uses fields that older API servers drop silently, such as a DaemonSet's maxSurge.",
			look: apiVersion,
		},
	}
}

func apiReachable(ctx context.Context, e *env) Finding {
	v, err := e.version(ctx)
	if err == nil {
		return ok(fmt.Sprintf("%s answers with %s", e.Config.Host, v.GitVersion))
	}
	if words, known := apierror.Describe(err, apierror.Caller{Command: "prereq check"}); known {
		return fail(string(words.Kind), words.Why, cmp.Or(words.Remedy, "Try again, and ask with another program: kubectl version"))
	}
	return fail(string(apierror.Unreachable), plain(err), "Check the address in the kubeconfig, the network and the VPN: kubectl version")
}

func apiVersion(ctx context.Context, e *env) Finding {
	info, err := e.version(ctx)
	if err != nil {
		return unread("the server's version", err)
	}
	if _, err := version.ParseGeneric(info.GitVersion); err != nil {
		return warn("api-version-unclear", fmt.Sprintf("the server reports version %q, which is not a Kubernetes version", info.GitVersion), "Make sure that it is Kubernetes "+cluster.OldestKubernetes+" or newer.")
	}
	if cluster.TooOld(info.GitVersion) {
		return fail("api-too-old", "this is "+info.GitVersion, "Upgrade the cluster to Kubernetes "+cluster.OldestKubernetes+" or newer.")
	}
	return ok(info.GitVersion + " is " + cluster.OldestKubernetes + " or newer")
}
