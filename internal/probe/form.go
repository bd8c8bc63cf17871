package probe

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// chooseForm settles the pods' ServiceAccount and how much of the host they
// see: as much as a dry run of one says the namespace admits. A Failure means
// that it admits none.
func (r *runner) chooseForm(ctx context.Context) (*Failure, error) {
	if err := r.chooseAccount(ctx); err != nil {
		return nil, err
	}
	for f := range forms {
		t, err := r.template(f)
		if err != nil {
			return nil, err
		}
		r.pod = t
		refused, err := r.try(ctx, t)
		switch {
		case err != nil:
			return nil, err
		case refused == nil:
			return nil, nil
		case refused.Reason != reasonPodSecurity || f == forms-1:
			return refused, nil
		case f == seesHost:
			r.report.Restricted = refused.Message
		}
	}
	return nil, nil
}

// chooseAccount takes the agent's ServiceAccount if it is there: it may carry
// the role by which a bucket is read, or the right to an SCC.
func (r *runner) chooseAccount(ctx context.Context) error {
	name := r.DaemonSet.Spec.Template.Spec.ServiceAccountName
	if name == "" || name == "default" {
		r.account = name
		return nil
	}
	_, err := r.ServiceAccounts.Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil:
		r.account = name
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		r.report.DefaultAccount = true
	default:
		return fmt.Errorf("cannot read the ServiceAccount %s: %w", name, err)
	}
	return nil
}

// try has the API server judge a pod by a dry run. Who may make Jobs need not
// be allowed pods; then the Job's events tell.
func (r *runner) try(ctx context.Context, t corev1.PodTemplateSpec) (*Failure, error) {
	pod := &corev1.Pod{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	pod.Namespace, pod.GenerateName = r.Namespace, "probe-"
	_, err := r.Pods.Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err == nil {
		return nil, nil
	}
	f := refusal("", err)
	switch {
	case f.Reason == reasonForbidden:
		return nil, nil
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return &f, nil
	}
	return nil, fmt.Errorf("cannot check the probe's pod by a dry run: %w", err)
}
