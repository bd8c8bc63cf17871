// Package rbac_test runs each command as a user who has nothing but the
// ClusterRole that deploy/rbac has for it, on a real API server.
package rbac_test

import (
	"bytes"
	"context"
	"crypto/x509/pkix"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/outcome"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var shared *kube.Cluster

// fallsBack makes agents that start from now on find no module.
var fallsBack atomic.Bool

func agent(*corev1.Pod, *corev1.Node) kube.Result {
	if fallsBack.Load() {
		return kube.Fallback(outcome.NoModuleForKernel)
	}
	return kube.Loaded()
}

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(ctx context.Context, cluster *kube.Cluster) error {
		shared = cluster
		if err := applyRoles(ctx); err != nil {
			return err
		}
		if _, err := cluster.AddNodes(ctx, 3, kube.Node{}); err != nil {
			return err
		}
		_, err := cluster.RunKubelet(ctx, agent)
		return err
	}))
}

func applyRoles(ctx context.Context) error {
	root, err := toolbin.Root()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(root, "deploy", "rbac", "*.yaml"))
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(text, role); err != nil {
			return err
		}
		if _, err := shared.Client.RbacV1().ClusterRoles().Create(ctx, role, metav1.CreateOptions{FieldValidation: "Strict"}); err != nil {
			return err
		}
	}
	return nil
}

// user is somebody with a kubeconfig and no rights but those that are bound.
type user struct {
	t                           *testing.T
	name, namespace, kubeconfig string
}

func newUser(t *testing.T, name string) *user {
	t.Helper()
	kubeconfig, err := shared.WriteKubeconfig(name, pkix.Name{CommonName: name})
	if err != nil {
		t.Fatal(err)
	}
	return &user{t: t, name: name, namespace: shared.Namespace(t, ""), kubeconfig: kubeconfig}
}

// everywhere binds roles in the whole cluster.
func (u *user) everywhere(roles ...string) *user {
	u.t.Helper()
	for _, role := range roles {
		b := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: u.name + "-" + role}, RoleRef: ref(role), Subjects: u.subjects()}
		if _, err := shared.Client.RbacV1().ClusterRoleBindings().Create(u.t.Context(), b, metav1.CreateOptions{}); err != nil {
			u.t.Fatal(err)
		}
	}
	return u
}

// here binds roles in the user's namespace.
func (u *user) here(roles ...string) *user {
	u.t.Helper()
	for _, role := range roles {
		b := &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: u.name + "-" + role}, RoleRef: ref(role), Subjects: u.subjects()}
		if _, err := shared.Client.RbacV1().RoleBindings(u.namespace).Create(u.t.Context(), b, metav1.CreateOptions{}); err != nil {
			u.t.Fatal(err)
		}
	}
	return u
}

func ref(role string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role}
}

func (u *user) subjects() []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: "rbac.authorization.k8s.io", Kind: "User", Name: u.name}}
}

// pfring runs the command as the user.
func (u *user) pfring(args ...string) (out, errOut string, code int) {
	u.t.Helper()
	var stdout, stderr bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: &stdout, ErrOut: &stderr})
	root.SetArgs(append(args, "--kubeconfig", u.kubeconfig, "-n", u.namespace))
	err := root.ExecuteContext(u.t.Context())
	if err != nil {
		stderr.WriteString(err.Error())
	}
	return stdout.String(), stderr.String(), cli.ExitCode(err)
}

// repository writes an empty historic repository and returns it as a source.
func repository(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "meta"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "meta", "versions.json"), []byte(`["6.1.0-18-amd64"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	return "file://" + dir
}

func TestCompatibilityAndPlanNeedOnlyTheNodes(t *testing.T) {
	u := newUser(t, "compat").everywhere("pfring-compatibility")
	source := repository(t)
	for _, command := range []string{"compatibility", "plan"} {
		out, errOut, code := u.pfring(command, "--source", source, "--set", "tap.kernelModule.source.verify=none,tap.kernelModule.source.volume.hostPath.path=/modules")
		if code != 0 {
			t.Errorf("%s: exit %d\n%s%s", command, code, out, errOut)
		}
	}
	_, errOut, code := newUser(t, "nobody").pfring("compatibility", "--source", source)
	if code != 2 || !strings.Contains(errOut, "forbidden") || !strings.Contains(errOut, "--nodes-from") {
		t.Errorf("without the role: exit %d\n%s", code, errOut)
	}
}

func TestPrereqCheckReadsWithItsRoleAndTriesWithTheOther(t *testing.T) {
	args := []string{"prereq", "check", "--skip", "auto,permissions.install"}
	reader := newUser(t, "reader").everywhere("pfring-prereq")
	out, errOut, code := reader.pfring(args...)
	if code != 0 || strings.Contains(out, "forbidden") || !strings.Contains(out, "not checked: no right to create pods") {
		t.Errorf("with pfring-prereq: exit %d\n%s%s", code, out, errOut)
	}
	trier := newUser(t, "trier").everywhere("pfring-prereq").here("pfring-prereq-dry-run", "pfring-prereq-references")
	out, errOut, code = trier.pfring(args...)
	if code != 0 || strings.Contains(out, "no right") || !strings.Contains(out, "was admitted") {
		t.Errorf("with the right to try: exit %d\n%s%s", code, out, errOut)
	}
	out, _, code = newUser(t, "without").pfring("prereq", "check", "--skip", "auto")
	if code != 1 || !strings.Contains(out, "missing-read-rights") || !strings.Contains(out, "missing-install-rights") {
		t.Errorf("without a role: exit %d\n%s", code, out)
	}
}

func TestInstallStatusAndRetryNeedOnlyTheirRoles(t *testing.T) {
	u := newUser(t, "owner").here("pfring-install").everywhere("pfring-install-cluster")
	fallsBack.Store(true)
	u.helm("install", "pfring", chartDir(t), "--wait", "--timeout", "2m")
	out, errOut, code := u.pfring("prereq", "check", "--only", "permissions.install", "--release", "pfring")
	if code != 0 {
		t.Errorf("prereq check of what was just installed: exit %d\n%s%s", code, out, errOut)
	}

	viewer := newUser(t, "viewer").everywhere("pfring-status")
	viewer.namespace = u.namespace
	out, errOut, code = viewer.pfring("status")
	if code != 1 || !strings.Contains(out, "no-module-for-kernel") {
		t.Errorf("status: exit %d\n%s%s", code, out, errOut)
	}
	for _, args := range [][]string{{"status", "-o", "html"}, {"status", "-A", "-o", "json"}, {"status", "--only-failing", "-o", "wide"}} {
		if out, errOut, code = viewer.pfring(args...); code != 1 || strings.Contains(errOut, "forbidden") || !strings.Contains(out, "no-module-for-kernel") {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, errOut)
		}
	}
	compares(t, u.namespace)
	fallsBack.Store(false)
	_, errOut, code = viewer.pfring("retry")
	if code != 2 || !strings.Contains(errOut, "forbidden") {
		t.Errorf("retry without its role: exit %d\n%s", code, errOut)
	}
	viewer.here("pfring-retry")
	out, errOut, code = viewer.pfring("retry", "--batch", "3")
	if code != 0 {
		t.Errorf("retry: exit %d\n%s%s", code, out, errOut)
	}
	u.helm("upgrade", "pfring", chartDir(t), "--wait", "--timeout", "2m", "--set", "tap.kernelModule.networkPolicy.enabled=true")
	u.helm("uninstall", "pfring", "--wait", "--timeout", "2m")
}

func chartDir(t *testing.T) string {
	t.Helper()
	root, err := toolbin.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "charts", "kubeshark-pfring")
}

// helm runs Helm itself as the user.
func (u *user) helm(args ...string) {
	u.t.Helper()
	program, err := toolbin.Tool("helm.sh/helm/v3/cmd/helm")
	if err != nil {
		u.t.Fatal(err)
	}
	cmd := exec.CommandContext(u.t.Context(), program, append(args, "--kubeconfig", u.kubeconfig, "-n", u.namespace)...)
	home := u.t.TempDir()
	cmd.Env = append(os.Environ(), "HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home, "HOME="+home)
	if out, err := cmd.CombinedOutput(); err != nil {
		u.t.Fatalf("helm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestProbingNeedsItsRoleInTheNamespaceAlone(t *testing.T) {
	args := []string{"prereq", "check", "--probe", "--probe-timeout", "20s", "--only", "nodes.selected,namespace.exists,probe"}
	u := newUser(t, "prober").everywhere("pfring-prereq")
	out, _, code := u.pfring(args...)
	if code != 1 || !strings.Contains(out, "missing-probe-rights") || !strings.Contains(out, "create jobs.batch in "+u.namespace) {
		t.Errorf("without the role: exit %d\n%s", code, out)
	}
	// The simulated agent here leaves no answer, which says that it ran.
	out, errOut, code := u.here("pfring-probe").pfring(args...)
	if code != 1 || !strings.Contains(out, "[no-report]") || strings.Contains(out, "forbidden") {
		t.Errorf("with the role: exit %d\n%s%s", code, out, errOut)
	}
	jobs, err := shared.Client.BatchV1().Jobs(u.namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil || len(jobs.Items) > 0 {
		t.Errorf("%d Jobs are left, %v", len(jobs.Items), err)
	}
}

// The namespace has no room, which the role has to be enough to see; a build that
// goes well reads its log beside.
func TestModuleBuildNeedsOnlyItsRoleAndTheNodes(t *testing.T) {
	u := newUser(t, "builder").everywhere("pfring-compatibility").here("pfring-build")
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"module", "build", "--kernel", "6.1.0-18-amd64", "--script", script, "--image", "builder", "-o", t.TempDir(), "--timeout", "20s"}
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}}}
	if _, err := shared.Client.CoreV1().ResourceQuotas(u.namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := kube.Poll(t.Context(), "the quota to be in force", func(ctx context.Context) (bool, error) {
		q, err := shared.Client.CoreV1().ResourceQuotas(u.namespace).Get(ctx, "none", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0, err
	}); err != nil {
		t.Fatal(err)
	}
	_, errOut, code := u.pfring(args...)
	if code != 1 || strings.Contains(errOut, "forbidden: User") || !strings.Contains(errOut, "is exhausted") {
		t.Errorf("with the role: exit %d\n%s", code, errOut)
	}
	for verb, resource := range map[string]string{"get": "pods/log", "list": "pods", "delete": "jobs.batch"} {
		if !u.may(verb, resource) {
			t.Errorf("it may not %s %s", verb, resource)
		}
	}
	_, errOut, code = newUser(t, "no-builder").everywhere("pfring-compatibility").pfring(args...)
	if code != 2 || !strings.Contains(errOut, "deploy/rbac/build.yaml") || strings.Contains(errOut, "removing") {
		t.Errorf("without the role: exit %d\n%s", code, errOut)
	}
}

// may asks the API server.
func (u *user) may(verb, what string) bool {
	u.t.Helper()
	group := ""
	if name, g, ok := strings.Cut(what, "."); ok {
		what, group = name, g
	}
	name, sub, _ := strings.Cut(what, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: u.name, ResourceAttributes: &authorizationv1.ResourceAttributes{
		Namespace: u.namespace, Verb: verb, Group: group, Resource: name, Subresource: sub,
	}}}
	answer, err := shared.Client.AuthorizationV1().SubjectAccessReviews().Create(u.t.Context(), review, metav1.CreateOptions{})
	if err != nil {
		u.t.Fatal(err)
	}
	return answer.Status.Allowed
}

// compares holds diff to its role, for the release of a namespace.
func compares(t *testing.T, namespace string) {
	t.Helper()
	args := []string{"diff", "pfring", "--set", "tap.kernelModule.agent.logLevel=debug"}
	u := newUser(t, "comparer").everywhere("pfring-compatibility")
	u.namespace = namespace
	if _, errOut, code := u.pfring(args...); code != 2 || !strings.Contains(errOut, "deploy/rbac/diff.yaml") {
		t.Errorf("diff without its role: exit %d\n%s", code, errOut)
	}
	out, errOut, code := u.here("pfring-diff").pfring(args...)
	if code != 0 || strings.Contains(errOut, "forbidden") || !strings.Contains(out, "DaemonSet") {
		t.Errorf("diff: exit %d\n%s%s", code, out, errOut)
	}
	if out, errOut, code = u.pfring("diff", "pfring", "--reuse-values", "-o", "json"); code != 0 || strings.Contains(errOut, "forbidden") {
		t.Errorf("diff of nothing: exit %d\n%s%s", code, out, errOut)
	}
}

func TestInjectLiveNeedsOnlyItsRole(t *testing.T) {
	u := newUser(t, "injector")
	text, err := os.ReadFile("../../internal/inject/testdata/53.3.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, doc, _ := strings.Cut(string(text), "09-worker-daemon-set.yaml\n")
	doc, _, _ = strings.Cut(doc, "\n---\n")
	workers := &appsv1.DaemonSet{}
	if err := yaml.Unmarshal([]byte(doc), workers); err != nil {
		t.Fatal(err)
	}
	workers.Namespace, workers.Spec.Template.Spec.NodeSelector = u.namespace, map[string]string{"none": "here"}
	if _, err := shared.Client.AppsV1().DaemonSets(u.namespace).Create(t.Context(), workers, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, errOut, code := u.pfring("inject", "--live"); code != 2 || !strings.Contains(errOut, "deploy/rbac/inject.yaml") {
		t.Errorf("without the role: exit %d\n%s", code, errOut)
	}
	u.here("pfring-inject")
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"inject", "--live", "--dry-run"}, "(dry run)"}, {[]string{"inject", "--live"}, "daemonset/" + workers.Name},
		{[]string{"inject", "--live", "--remove"}, "daemonset/" + workers.Name},
	} {
		if out, errOut, code := u.pfring(step.args...); code != 0 || !strings.Contains(out, step.want) || strings.Contains(errOut, "forbidden") {
			t.Errorf("%q: exit %d\n%s%s", step.args, code, out, errOut)
		}
	}
}
