package prereq

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/version"
)

// oldest is the oldest Kubernetes that chart (its kubeVersion) and KMM 2.4 run
// on.
const oldest = "1.25"

func apiChecks() []Check {
	return []Check{
		{
			ID: "api.reachable", Title: "the API server answers",
			Why:  "Everything else is asked of it.",
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
	reason, remedy := "api-unreachable", "Check the address in the kubeconfig, the network and the VPN: kubectl version"
	var dns *net.DNSError
	switch text := err.Error(); {
	case apierrors.IsUnauthorized(err):
		reason, remedy = "api-unauthorized", "Log in again, or take another context with --context."
	case apierrors.IsForbidden(err):
		reason, remedy = "api-forbidden", "Ask for the right to read /version, which the ClusterRole system:public-info-viewer gives."
	case errors.As(err, &dns):
		reason, remedy = "api-unknown-host", "Correct the server's name in the kubeconfig, or the DNS."
	case strings.Contains(text, "x509:"):
		reason, remedy = "api-tls-untrusted", "Get a kubeconfig with the cluster's present certificate authority."
	case apierrors.IsTooManyRequests(err):
		reason, remedy = "api-overloaded", "Try again later, or with --wait 2m."
	case errors.Is(err, context.DeadlineExceeded):
		reason = "api-timeout"
	}
	return fail(reason, plain(err), remedy)
}

func apiVersion(ctx context.Context, e *env) Finding {
	info, err := e.version(ctx)
	if err != nil {
		return unread("the server's version", err)
	}
	v, err := version.ParseGeneric(info.GitVersion)
	if err != nil {
		return warn("api-version-unclear", fmt.Sprintf("the server calls its version %q", info.GitVersion), "See that it is Kubernetes "+oldest+" or newer.")
	}
	if v.LessThan(version.MustParseGeneric(oldest)) {
		return fail("api-too-old", "this is "+info.GitVersion, "Upgrade the cluster to Kubernetes "+oldest+" or newer.")
	}
	return ok(info.GitVersion + " is " + oldest + " or newer")
}
