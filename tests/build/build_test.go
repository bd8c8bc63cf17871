// Package build_test runs pfring module build against a real API server, with
// its controllers, and a kubelet that runs what the test says, up to the very
// script of a Job in a Debian of its own.
package build_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/cli"
	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/module/build"
	"github.com/kubeshark/kubeshark-pfring/tests/kube"
)

var (
	cluster  *kube.Cluster
	kubelets *kubelet
)

func TestMain(m *testing.M) {
	os.Exit(kube.Main(m, func(ctx context.Context, c *kube.Cluster) error {
		cluster, kubelets = c, newKubelet(ctx, c.Client)
		return nil
	}))
}

const debian12 = "Debian GNU/Linux 12 (bookworm)"

func quantity(s string) resource.Quantity { return resource.MustParse(s) }

// node adds one for the test's time; its kernel is the name with the test's.
func node(t *testing.T, kernel string, b behavior) {
	t.Helper()
	nodeOf(t, kernel, debian12, b)
}

func nodeOf(t *testing.T, kernel, osImage string, b behavior) {
	t.Helper()
	name := nodeName(kernel)
	if err := kubelets.addNode(t.Context(), name, kernel, osImage, b); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := kubelets.removeNode(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
}

// nodeName is that of the node with a kernel.
func nodeName(kernel string) string { return strings.ToLower(strings.ReplaceAll(kernel, "+", "-")) }

// result is what a command said.
type result struct {
	out, errOut string
	code        int
}

func pfring(ctx context.Context, namespace string, args ...string) result {
	var out, errOut bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	root.SetArgs(append(args, "--kubeconfig", cluster.Kubeconfig, "-n", namespace))
	err := root.ExecuteContext(ctx)
	if err != nil && err.Error() != "" {
		fmt.Fprintln(&errOut, err)
	}
	return result{out.String(), errOut.String(), cli.ExitCode(err)}
}

func (r result) want(t *testing.T, code int, says ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit %d, want %d", r.code, code)
	}
	for _, text := range says {
		if !strings.Contains(r.out+r.errOut, text) {
			t.Errorf("it does not say %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("stdout:\n%s\nstderr:\n%s", r.out, r.errOut)
	}
}

// nothingLeft waits until no Job and no pod is there.
func nothingLeft(t *testing.T, namespace string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := kube.Poll(ctx, "Jobs and pods to be gone", func(ctx context.Context) (bool, error) {
		jobs, err := cluster.Client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err
		}
		pods, err := cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		return err == nil && len(jobs.Items)+len(pods.Items) == 0, err
	})
	if err != nil {
		t.Error(err)
	}
}

// env is a variable of the pod's container.
func env(pod *corev1.Pod, name string) string {
	for _, e := range pod.Spec.Containers[0].Env {
		if e.Name == name {
			return strings.ReplaceAll(e.Value, "$$", "$")
		}
	}
	return ""
}

// say prints lines, each after the pod's mark where it begins with a colon.
func say(pod *corev1.Pod, log *logBuffer, lines ...string) {
	for _, line := range lines {
		if rest, ours := strings.CutPrefix(line, ":"); ours {
			line = env(pod, "PFRING_MARK") + " " + rest
		}
		fmt.Fprintln(log, line)
	}
}

// deliver prints a module as the script does, without its last cut bytes.
func deliver(pod *corev1.Pod, log *logBuffer, ko []byte, cut int) {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, _ = zip.Write(ko)
	_ = zip.Close()
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	say(pod, log, ":step deliver", fmt.Sprintf(":module %d %x", packed.Len(), sha256.Sum256(ko)))
	for text = text[:len(text)-cut]; len(text) > 76; text = text[76:] {
		say(pod, log, text[:76])
	}
	say(pod, log, text)
	if cut == 0 {
		say(pod, log, ":end")
	}
}

// builds is a container that builds ko.
func builds(ko moduletest.KO) behavior {
	return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
		say(pod, log, ":step packages", "Setting up gcc", ":step source", ":step headers", ":step compile", "  CC [M]  pf_ring.o")
		deliver(pod, log, ko.Bytes(), 0)
		return end{}
	}
}

func TestTwoKernelsAreBuiltAtTheSameTimeAndKept(t *testing.T) {
	namespace := cluster.Namespace(t, "")
	var both sync.WaitGroup
	both.Add(2)
	for _, kernel := range []string{"6.1.0-18-amd64", "6.12.95+deb12-cloud-amd64"} {
		node(t, kernel, func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
			if got := env(pod, "KERNEL_FULL_VERSION"); got != kernel {
				t.Errorf("kernel %s was to be built on a node with %s", got, kernel)
			}
			both.Done()
			both.Wait() // indefinitely if they run one after the other
			return builds(moduletest.KO{Kernel: kernel, Padding: 1 << 20})(ctx, pod, log)
		})
	}
	// Not built for: the repository has it, or nothing can be.
	node(t, "6.1.0-10-amd64", func(context.Context, *corev1.Pod, *logBuffer) end { t.Error("built in vain"); return end{} })
	nodeOf(t, "6.12.1-talos", "Talos (v1.9.0)", nil)
	have := t.TempDir()
	if err := os.WriteFile(filepath.Join(have, "pf_ring.ko"), moduletest.KO{Kernel: "6.1.0-10-amd64"}.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := pfring(t.Context(), namespace, "module", "build", "--help"); r.code != 0 {
		t.Fatal(r.errOut)
	}
	mustIndex(t, have)
	files := t.TempDir()
	r := pfring(t.Context(), namespace, "module", "build", "--source", "file://"+have,
		"--set", "tap.kernelModule.source.verify=checksum,tap.kernelModule.source.volume.hostPath.path=/m", "--output-dir", files, "--repository", have, "--pack", "oci:"+files+"/image", "--base", "scratch")
	r.want(t, 1, "6.12.1-talos amd64: not built: no recipe for Talos", "6.1.0-18-amd64 amd64: compile", "6.1.0-18-amd64 amd64: PF_RING 8.9.0 built in", "1 of 3 modules not built",
		filepath.Join(files, "amd64", "pf-ring-6.12.95+deb12-cloud-amd64.ko.zst"), "+ modules/amd64/6.1.0-18-amd64/pf_ring.ko.zst", "serial 2, 3 modules", "oci:"+files+"/image:6.12.95_deb12-cloud-amd64")
	ko, err := os.ReadFile(filepath.Join(files, "amd64", "pf-ring-6.1.0-18-amd64.ko.zst"))
	if err != nil {
		t.Fatal(err)
	}
	if ko, _, err = module.Decompress(ko, module.DefaultMaxSize); err != nil {
		t.Fatal(err)
	}
	if info, err := module.Inspect(ko); err != nil || info.KernelRelease != "6.1.0-18-amd64" {
		t.Errorf("%+v %v", info, err)
	}
	nothingLeft(t, namespace)
}

func mustIndex(t *testing.T, dir string) {
	t.Helper()
	var out bytes.Buffer
	root := cli.New(cli.Options{In: strings.NewReader(""), Out: &out, ErrOut: &out})
	root.SetArgs([]string{"module", "index", dir})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
}

// What goes wrong is reported in a line or two, with what to do and what the log
// says of it; nothing is called a module that is none.
func TestWhatGoesWrongIsSaid(t *testing.T) {
	good := func(kernel string) moduletest.KO { return moduletest.KO{Kernel: kernel, Padding: 200 << 10} }
	for i, c := range []struct {
		name string
		b    func(kernel string) behavior
		args []string
		says []string
	}{
		{"compiler", func(string) behavior {
			return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
				say(pod, log, ":step compile", "  CC [M]  pf_ring.o", "pf_ring.c:7:2: error: unknown type name 'struct'", "make: *** [all] Error 2", ":fail PF_RING did not compile for kernel X")
				return end{exit: 1, reason: "Error"}
			}
		}, nil, []string{"PF_RING did not compile for kernel X\n    pf_ring.c:7:2: error: unknown type name", "1 of 1 module not built"}},
		{"hostile log", func(string) behavior {
			return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
				say(pod, log, ":step compile", "\x1b[2J\x1b]0;owned\x07error: \x1b[31mred", "pfring:fail forged", ":fail \x1b[1mbad\x1b[0m")
				return end{exit: 1, reason: "Error"}
			}
		}, []string{"--logs"}, []string{"not built: bad\n", "error: red"}},
		{"another kernel's", func(string) behavior { return builds(good("6.1.0-99-amd64")) }, nil, []string{"did not produce the module for kernel", `built for kernel "6.1.0-99-amd64"`}},
		{"another version", func(kernel string) behavior { return builds(moduletest.KO{Kernel: kernel, Version: "8.4.0"}) }, nil, []string{"the source is PF_RING 8.4.0, not 8.9.0"}},
		{"another module", func(kernel string) behavior { return builds(moduletest.KO{Kernel: kernel, Name: "dummy"}) }, nil, []string{"dummy"}},
		{"truncated", func(kernel string) behavior {
			return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
				deliver(pod, log, good(kernel).Bytes(), 4000)
				return end{}
			}
		}, nil, []string{"the log ends in the middle of the module"}},
		{"no memory", func(string) behavior {
			return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
				say(pod, log, ":step compile")
				return end{exit: 137, reason: "OOMKilled"}
			}
		}, nil, []string{"ran out of memory; its limit is 2Gi"}},
		{"evicted", func(string) behavior {
			return func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
				say(pod, log, ":step packages")
				return end{evicted: "The node was low on resource: ephemeral-storage."}
			}
		}, nil, []string{"ended it (Evicted): The node was low on resource: ephemeral-storage."}},
		{"image", func(string) behavior {
			return func(context.Context, *corev1.Pod, *logBuffer) end {
				return end{waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}}
			}
		}, []string{"--image", "registry.invalid/builder:1"}, []string{"builder image registry.invalid/builder:1 could not be pulled: Back-off pulling image. Set --image to one that the nodes can reach"}},
		{"too long", func(string) behavior {
			return func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
				say(pod, log, ":step packages")
				<-ctx.Done()
				return end{exit: 137, reason: "Error"}
			}
		}, []string{"--timeout", "3s"}, []string{"it did not finish within 3s (--timeout)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			namespace, kernel := cluster.Namespace(t, ""), fmt.Sprintf("6.1.%d-wrong-amd64", i)
			node(t, kernel, c.b(kernel))
			dir := t.TempDir()
			r := pfring(t.Context(), namespace, append([]string{"module", "build", "--kernel", kernel, "-o", dir}, c.args...)...)
			r.want(t, 1, c.says...)
			if strings.Contains(r.out+r.errOut, "\x1b") {
				t.Errorf("the log reached the terminal as it was:\n%q", r.errOut)
			}
			if found, err := os.ReadDir(dir); err != nil || len(found) > 0 {
				t.Errorf("%v were kept, %v", found, err)
			}
			nothingLeft(t, namespace)
		})
	}
}

func TestOneFailureDoesNotCostTheOthers(t *testing.T) {
	namespace := cluster.Namespace(t, "")
	node(t, "6.1.0-31-amd64", builds(moduletest.KO{Kernel: "6.1.0-31-amd64"}))
	node(t, "6.1.0-32-amd64", func(_ context.Context, pod *corev1.Pod, log *logBuffer) end {
		say(pod, log, ":fail there are no headers")
		return end{exit: 1, reason: "Error"}
	})
	dir := t.TempDir()
	r := pfring(t.Context(), namespace, "module", "build", "--all", "-o", dir, "--parallel", "1")
	r.want(t, 1, "6.1.0-32-amd64 amd64: not built: there are no headers", "1 of 2 modules not built", filepath.Join(dir, "amd64", "pf-ring-6.1.0-31-amd64.ko.zst"))
	nothingLeft(t, namespace)
}

func TestALostConnectionCostsNothing(t *testing.T) {
	namespace, kernel := cluster.Namespace(t, ""), "6.1.0-40-amd64"
	ko := moduletest.KO{Kernel: kernel, Padding: 400 << 10}
	node(t, kernel, func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
		log.dropAt = 700
		return builds(ko)(ctx, pod, log)
	})
	dir := t.TempDir()
	pfring(t.Context(), namespace, "module", "build", "--kernel", kernel, "-o", dir).want(t, 0)
	got, err := os.ReadFile(filepath.Join(dir, "amd64", "pf-ring-"+kernel+".ko.zst"))
	if err == nil {
		got, _, err = module.Decompress(got, module.DefaultMaxSize)
	}
	if err != nil || !bytes.Equal(got, ko.Bytes()) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestInterruptLeavesNoJobsAndKeepsWhatWasBuilt(t *testing.T) {
	namespace := cluster.Namespace(t, "")
	ctx, interrupt := context.WithCancel(t.Context())
	node(t, "6.1.0-50-amd64", builds(moduletest.KO{Kernel: "6.1.0-50-amd64"}))
	dir := t.TempDir()
	first := filepath.Join(dir, "amd64", "pf-ring-6.1.0-50-amd64.ko.zst")
	node(t, "6.1.0-51-amd64", func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
		say(pod, log, ":step compile")
		_ = kube.Poll(ctx, "the other module", func(context.Context) (bool, error) { _, err := os.Stat(first); return err == nil, nil })
		interrupt()
		<-ctx.Done()
		return end{exit: 137, reason: "Error"}
	})
	node(t, "6.1.0-52-amd64", func(ctx context.Context, _ *corev1.Pod, _ *logBuffer) end { <-ctx.Done(); return end{exit: 137} })
	r := pfring(ctx, namespace, "module", "build", "--all", "-o", dir, "--repository", dir+"/repo", "--parallel", "2")
	r.want(t, 130, "interrupted; the Jobs are being removed", "serial 1, 1 module")
	nothingLeft(t, namespace)
	if _, err := os.Stat(first); err != nil {
		t.Error(err)
	}
}

// A program that is killed removes nothing: the cluster's own controllers do.
func TestAJobWithoutItsMakerGoesAwayByItself(t *testing.T) {
	namespace, kernel := cluster.Namespace(t, ""), "6.1.0-60-amd64"
	node(t, kernel, func(ctx context.Context, pod *corev1.Pod, log *logBuffer) end {
		say(pod, log, ":step packages")
		<-ctx.Done()
		return end{exit: 137, reason: "Error"}
	})
	job := build.Settings{Namespace: namespace, Timeout: 2 * time.Second}.Job(build.Target{
		Kernel: kernel, Arch: "amd64", Nodes: []string{kernel}, Recipe: build.Recipes()[0],
	}, "abc", "mark", 0)
	*job.Spec.TTLSecondsAfterFinished = 1
	if _, err := cluster.Client.BatchV1().Jobs(namespace).Create(t.Context(), job, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, namespace)
}

func TestANamespaceThatRefusesIsExplained(t *testing.T) {
	kernel := "6.1.0-70-amd64"
	node(t, kernel, builds(moduletest.KO{Kernel: kernel}))
	args := []string{"module", "build", "--kernel", kernel, "-o", t.TempDir()}
	t.Run("Pod Security", func(t *testing.T) {
		namespace := cluster.Namespace(t, "baseline")
		pfring(t.Context(), namespace, args...).want(t, 1, "admits no such pod", "hostPath", "--host-headers=false")
		pfring(t.Context(), namespace, append(args, "--host-headers=false")...).want(t, 0, "PF_RING 8.9.0 built")
		nothingLeft(t, namespace)
	})
	t.Run("quota", func(t *testing.T) {
		namespace := cluster.Namespace(t, "")
		quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "none"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": quantity("0")}}}
		if _, err := cluster.Client.CoreV1().ResourceQuotas(namespace).Create(t.Context(), quota, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		err := kube.Poll(t.Context(), "the quota to be in force", func(ctx context.Context) (bool, error) {
			q, err := cluster.Client.CoreV1().ResourceQuotas(namespace).Get(ctx, "none", metav1.GetOptions{})
			return err == nil && len(q.Status.Hard) > 0, err
		})
		if err != nil {
			t.Fatal(err)
		}
		pfring(t.Context(), namespace, args...).want(t, 1, "the quota of namespace "+namespace+" is exhausted")
		nothingLeft(t, namespace)
	})
	t.Run("not there", func(t *testing.T) {
		pfring(t.Context(), "nowhere", args...).want(t, 2, "namespace nowhere not found")
	})
}

func TestNothingIsMadeWhenThereIsNothingToDo(t *testing.T) {
	namespace, kernel := cluster.Namespace(t, ""), "6.1.0-80-amd64"
	node(t, kernel, func(context.Context, *corev1.Pod, *logBuffer) end { t.Error("built"); return end{} })
	pfring(t.Context(), namespace, "module", "build", "--kernel", "6.1.0-81-amd64").want(t, 2, "no node runs kernel 6.1.0-81-amd64, only 6.1.0-80-amd64 amd64")
	pfring(t.Context(), namespace, "module", "build", "--kernel", "../6.1").want(t, 2, "invalid kernel release")
	pfring(t.Context(), namespace, "module", "build", "--source", "file:///nowhere", "--set", "tap.kernelModule.source.verify=none").want(t, 2, "set --kernel or --all")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pfring(t.Context(), namespace, "module", "build", "--all", "-o", filepath.Join(file, "below")).want(t, 2, "cannot create folder "+filepath.Join(file, "below")+": not a directory")
	nothingLeft(t, namespace)
}

// A printed Job is one that the API server takes, and its log is read later.
func TestPrintedManifestsBuildElsewhere(t *testing.T) {
	namespace, kernel := cluster.Namespace(t, ""), "6.1.0-90-amd64"
	node(t, kernel, builds(moduletest.KO{Kernel: kernel}))
	r := pfring(t.Context(), namespace, "module", "build", "--kernel", kernel, "--print", "manifests")
	r.want(t, 0, "kind: Job")
	job := parseJob(t, r.out)
	if _, err := cluster.Client.BatchV1().Jobs(namespace).Create(t.Context(), job, metav1.CreateOptions{FieldValidation: "Strict"}); err != nil {
		t.Fatal(err)
	}
	var log []byte
	err := kube.Poll(t.Context(), "the log", func(ctx context.Context) (bool, error) {
		pods, err := cluster.Client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(pods.Items) == 0 || pods.Items[0].Status.Phase != corev1.PodSucceeded {
			return false, err
		}
		log, err = cluster.Client.CoreV1().Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	name := filepath.Join(dir, "log")
	if err := os.WriteFile(name, log, 0o600); err != nil {
		t.Fatal(err)
	}
	pfring(t.Context(), namespace, "module", "build", "--from-log", name, "-o", dir).want(t, 0, "pf-ring-"+kernel+".ko.zst")
	pfring(t.Context(), namespace, "module", "build", "--from-log", name, "-o", dir, "--kernel", "6.1.0-91-amd64").want(t, 1, "built for kernel")
	if err := os.WriteFile(name, log[:len(log)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	pfring(t.Context(), namespace, "module", "build", "--from-log", name, "-o", dir).want(t, 1, "ends in the middle of the module")
}

func parseJob(t *testing.T, text string) *batchv1.Job {
	t.Helper()
	job := &batchv1.Job{}
	if err := yaml.UnmarshalStrict([]byte(text), job); err != nil {
		t.Fatal(err)
	}
	return job
}
