package node

import (
	"context"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/vm"
	"github.com/kubeshark/kubeshark-pfring/tests/vm/step"
)

const (
	// readyWithin is far beyond what it takes; nothing but a bug meets it.
	readyWithin = 6 * time.Minute
	// memory is in MiB; a node with its pods uses an eighth of it.
	memory = 1024
)

// Node is a real node, running or not.
type Node struct {
	*vm.Machine
	Name   string
	Kernel vm.Kernel
	// BootID is that of its present boot.
	BootID string
	// Disk is the image of its disk.
	Disk string

	// kubelet is where this machine reaches the kubelet; its host is "" where it
	// does not.
	kubelet net.TCPAddr

	// test is what the machine ends with, however often it is booted.
	test    testing.TB
	cluster *kube.Cluster
}

// Need skips a test where nodes cannot run, with a line that says what to
// install. PFRING_TEST_REQUIRE_ALL=1 makes that a failure.
func Need(t testing.TB) {
	t.Helper()
	vm.Need(t)
	const why = "needs the Debian package e2fsprogs: run hack/install-test-deps.sh as root, or apt-get install e2fsprogs"
	switch {
	case mkfs() != "":
	case os.Getenv("PFRING_TEST_REQUIRE_ALL") == "1":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// Start makes a node with a kernel and some files, by path, boots it into the
// cluster and waits until it is ready. It ends with the test.
//
// The API server reaches a kubelet by the node's name, which it looks up as this
// machine does. So pods' logs can be read only of nodes whose name is an address
// of the loopback.
func Start(t testing.TB, cluster *kube.Cluster, registry *Registry, name string, kernel vm.Kernel, files map[string][]byte) *Node {
	t.Helper()
	n := &Node{test: t, Name: name, Kernel: kernel, cluster: cluster, Disk: filepath.Join(t.TempDir(), "disk"), kubelet: net.TCPAddr{Port: 10250}}
	if ip := net.ParseIP(name); ip != nil {
		var listening net.ListenConfig
		l, err := listening.Listen(t.Context(), "tcp", net.JoinHostPort(name, "0"))
		if err != nil {
			t.Fatal(err)
		}
		n.kubelet = *l.Addr().(*net.TCPAddr)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string][]byte{}
	for _, part := range []map[string][]byte{containerdConfig(registry.Nodes), kubeletConfig(name, cluster.URL, strconv.Itoa(n.kubelet.Port)), n.certificates(t), files} {
		for path, data := range part {
			all[path] = data
		}
	}
	makeDisk(t, n.Disk, all, map[string][]byte{"/bin/services": vm.Program(t, "./tests/node/services")})
	n.boot(t)
	return n
}

// certificates are the node's own, by which the API server knows it.
func (n *Node) certificates(t testing.TB) map[string][]byte {
	t.Helper()
	cert, key, err := n.cluster.CA.Issue("kubelet-"+n.Name, pkix.Name{CommonName: "system:node:" + n.Name, Organization: []string{"system:nodes"}})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for path, from := range map[string]string{"ca.crt": n.cluster.CA.CertFile(), "kubelet.crt": cert, "kubelet.key": key} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		files["/etc/kubernetes/"+path] = data
	}
	return files
}

// Reboot ends the machine as a loss of power would, only that its disk has all
// that was written, boots it again and waits until it is ready.
func (n *Node) Reboot(t testing.TB) {
	t.Helper()
	n.PowerOff(t)
	n.boot(t)
}

func (n *Node) boot(t testing.TB) {
	t.Helper()
	began := time.Now()
	forward := ""
	if n.kubelet.IP != nil {
		forward = n.kubelet.String()
	}
	n.Machine = vm.Boot(n.test, vm.Options{Kernel: n.Kernel, Files: map[string][]byte{}, Disk: n.Disk, Memory: memory, Forward: forward})
	n.showLogs(n.Machine)
	up := time.Since(began)
	n.BootID = strings.TrimSpace(n.Read(t, "/proc/sys/kernel/random/boot_id"))
	for path, value := range map[string]string{
		"/proc/sys/kernel/hostname": n.Name,
		// Pods have addresses of their own behind the node, which answers for them.
		"/proc/sys/net/ipv4/ip_forward": "1", "/proc/sys/net/ipv4/conf/eth0/proxy_arp": "1",
	} {
		n.Do(t, step.Request{Op: step.Write, Path: path, Data: value})
	}
	n.Do(t, step.Request{Op: step.Exec, Args: []string{"/bin/busybox", "ip", "address", "add", kube.ServiceAddress + "/32", "dev", "lo"}})
	n.start(t, "services "+n.Name+" "+Reachable(strings.TrimPrefix(n.cluster.URL, "https://"))+" "+kube.ServiceAddress+":443 "+address+":53", servicesLog)
	n.start(t, "containerd", containerdLog)
	n.start(t, "kubelet --config=/etc/kubernetes/kubelet.yaml --kubeconfig=/etc/kubernetes/kubeconfig --node-ip="+address+" --hostname-override="+n.Name, kubeletLog)
	n.awaitReady(t)
	t.Logf("node %s with kernel %s: its init answered after %.1f s, it was ready after %.1f s", n.Name, n.Kernel.Release, up.Seconds(), time.Since(began).Seconds())
}

// start starts a program that writes into a log of its own.
func (n *Node) start(t testing.TB, command, log string) {
	t.Helper()
	name, _, _ := strings.Cut(command, " ")
	n.Do(t, step.Request{Op: step.Start, Name: name, Args: []string{"/bin/sh", "-c", "exec " + command + " >>" + log + " 2>&1"}})
}

// showLogs shows the ends of the logs if the test ends in failure on a machine.
func (n *Node) showLogs(machine *vm.Machine) {
	n.test.Cleanup(func() {
		if n.test.Failed() && machine == n.Machine {
			n.test.Logf("the logs on %s end:\n%s\n%s\n%s", n.Name, n.tail(n.test, servicesLog), n.tail(n.test, containerdLog), n.tail(n.test, kubeletLog))
		}
	})
}

func (n *Node) tail(t testing.TB, path string) string {
	const most = 6 << 10
	text := n.Read(t, path)
	return text[max(0, len(text)-most):]
}

// Read returns a file of the node, "" if there is none.
func (n *Node) Read(t testing.TB, path string) string {
	t.Helper()
	return n.Try(t, step.Request{Op: step.Read, Path: path}).Data
}

// Loaded tells whether the node's kernel has a module of that name.
func (n *Node) Loaded(t testing.TB, name string) bool {
	t.Helper()
	for line := range strings.Lines(n.Do(t, step.Request{Op: step.Read, Path: "/proc/modules"}).Data) {
		if strings.HasPrefix(line, name+" ") {
			return true
		}
	}
	return false
}

// awaitReady waits until the node's kubelet says of the present boot that it is
// ready: what it said of the boot before stays until then.
func (n *Node) awaitReady(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyWithin)
	defer cancel()
	var last *corev1.Node
	err := kube.Poll(ctx, "node "+n.Name+" to be ready", func(ctx context.Context) (bool, error) {
		var err error
		last, err = n.cluster.Client.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && last.Status.NodeInfo.BootID != n.BootID {
			return false, nil
		}
		return err == nil && isReady(last), err
	})
	if err != nil {
		t.Fatalf("%v; its conditions: %s", err, conditions(last))
	}
}

func isReady(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func conditions(n *corev1.Node) string {
	if n == nil {
		return "there is no such node"
	}
	var list []string
	for _, c := range n.Status.Conditions {
		list = append(list, fmt.Sprintf("%s=%s (%s)", c.Type, c.Status, c.Message))
	}
	return strings.Join(list, ", ")
}
