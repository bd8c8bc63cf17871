package apierror

import (
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/deploy/rbac"
	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
	"github.com/kubeshark/kubeshark-pfring/internal/printout"
)

// longest is how much of a server's own message is shown, in characters.
const longest = 400

// ofStatus words an answer of the API server.
func ofStatus(err error, status apierrors.APIStatus, c Caller) Words {
	s := status.Status()
	message := oneLine(s.Message)
	switch {
	case apierrors.IsUnauthorized(err):
		return Words{Unauthorized, "the API server does not accept your login (401 Unauthorized)",
			"Log in again: the credentials in the kubeconfig are wrong or have expired. Or choose another context with --context."}
	case apierrors.IsForbidden(err):
		return forbidden(message, s, c)
	case apierrors.IsTooManyRequests(err):
		w := Words{Throttled, "the API server is overloaded (429 Too Many Requests)", "Try again later."}
		if s.Details != nil && s.Details.RetryAfterSeconds > 0 {
			w.Why += fmt.Sprintf(" and asks to wait %s", time.Duration(s.Details.RetryAfterSeconds)*time.Second)
		}
		return w
	case apierrors.IsResourceExpired(err), apierrors.IsGone(err):
		return Words{Failed, "the API server no longer has the state that the rest of the list belongs to (410 Gone)", "Try again."}
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err):
		return Words{Timeout, "the API server did not finish in time: " + message, "Try again later."}
	case apierrors.IsNotFound(err) && unnamed(s):
		return Words{NotKubernetes, "the server does not know this request (404 Not Found)",
			"Check " + c.address() + ", and that the resource is installed."}
	case apierrors.IsNotFound(err):
		return Words{NotFound, message, ""}
	case s.Code >= 500:
		return Words{Failed, fmt.Sprintf("the API server failed (%d): %s", s.Code, message), "Try again later, or look at the API server's log."}
	}
	return Words{Refused, message, ""}
}

// unnamed tells a 404 for a whole resource, or from another kind of server.
func unnamed(s metav1.Status) bool {
	return s.Details == nil || s.Details.Name == "" && !strings.HasSuffix(s.Message, "not found")
}

// denial is how Kubernetes' authorizer words a refusal.
var denial = lazyregexp.New(`User "([^"]*)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)"| at the cluster scope)?`)

func forbidden(message string, s metav1.Status, c Caller) Words {
	found := denial().FindStringSubmatch(message)
	if found == nil {
		w := Words{Forbidden, "forbidden: " + strings.TrimPrefix(message, "forbidden: "), ""}
		if s.Details == nil || s.Details.Kind == "" {
			w.Remedy = "Ask an administrator for the right, or choose another context with --context."
		}
		return w
	}
	user, verb, resource, group, namespace := found[1], found[2], found[3], found[4], found[5]
	where := "in the whole cluster"
	if namespace != "" {
		where = "in namespace " + namespace
	}
	qualified := resource
	if group != "" {
		name, sub, has := strings.Cut(resource, "/")
		qualified = name + "." + group
		if has {
			qualified += "/" + sub
		}
	}
	w := Words{Kind: Forbidden, Why: fmt.Sprintf("forbidden: user %q may not %s %s %s", user, verb, qualified, where)}
	if role, ok := rbac.For(c.Command, verb, group, resource); ok {
		w.Remedy = fmt.Sprintf("Ask an administrator to bind ClusterRole %s (%s), which grants it.", role.Name, role.File)
	} else {
		w.Remedy = fmt.Sprintf("Ask an administrator for the right to %s %s %s.", verb, qualified, where)
	}
	return w
}

// oneLine is a server's text on one line, without what steers a terminal.
func oneLine(text string) string {
	text = printout.Line(strings.Join(strings.Fields(text), " "))
	if r := []rune(text); len(r) > longest {
		text = string(r[:longest]) + "…"
	}
	if text == "" {
		return "no reason given"
	}
	return text
}
