package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net"
	"strconv"
)

// ServiceAddress is that of the Service kubernetes, the first in serviceRange.
const (
	ServiceAddress = "10.96.0.1"
	serviceRange   = "10.96.0.0/16"
)

// run starts one component, to be stopped with the cluster.
func (c *Cluster) run(program, name string, flags []string) error {
	p, err := startProcess(c.dir, name, program, flags...)
	if err == nil {
		c.processes = append(c.processes, p)
	}
	return err
}

func etcdFlags(client, peer string) []string {
	return []string{
		"--data-dir=etcd",
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
		// Nobody needs the data after the machine crashes.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func (c *Cluster) startAPIServer(program, etcd string, port int) error {
	cert, key, err := c.CA.Issue("kube-apiserver", pkix.Name{CommonName: "kube-apiserver"})
	if err != nil {
		return err
	}
	account, err := c.serviceAccountKey()
	if err != nil {
		return err
	}
	return c.run(program, "kube-apiserver", []string{
		"--etcd-servers=" + etcd,
		"--bind-address=127.0.0.1", "--secure-port=" + strconv.Itoa(port),
		// Loopback cannot stand in an EndpointSlice, so the Service kubernetes has none.
		"--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
		"--tls-cert-file=" + cert, "--tls-private-key-file=" + key, "--client-ca-file=" + c.CA.CertFile(),
		// By this one it reads the logs of pods from kubelets.
		"--kubelet-client-certificate=" + cert, "--kubelet-client-key=" + key,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + account, "--service-account-signing-key-file=" + account,
		"--service-cluster-ip-range=" + serviceRange,
		"--authorization-mode=Node,RBAC",
		// Pod Security admission is on by default; that it says no is for the tests to see.
		// PodNodeSelector changes nothing in a namespace that KeepOnNodes does not name.
		"--enable-admission-plugins=NodeRestriction,PodNodeSelector",
		// As managed clusters do: Services of webhooks are resolved to their endpoints.
		"--enable-aggregator-routing=true",
		"--allow-privileged=true",
	})
}

func (c *Cluster) startControllers(program string) error {
	managerConfig, err := c.WriteKubeconfig("kube-controller-manager", controllerManager)
	if err != nil {
		return err
	}
	schedulerConfig, err := c.WriteKubeconfig("kube-scheduler", scheduler)
	if err != nil {
		return err
	}
	// Neither serves anything here, and there is only one of each.
	common := []string{"--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000"}
	if err := c.run(program, "kube-controller-manager", append([]string{
		"--kubeconfig=" + managerConfig,
		"--use-service-account-credentials=true",
		"--root-ca-file=" + c.CA.CertFile(), "--service-account-private-key-file=" + c.CA.file("service-account.key"),
		"--cluster-signing-cert-file=" + c.CA.CertFile(), "--cluster-signing-key-file=" + c.CA.file("ca.key"),
		// Simulated nodes renew no lease.
		"--node-monitor-grace-period=24h",
	}, common...)); err != nil {
		return err
	}
	return c.run(program, "kube-scheduler", append([]string{"--kubeconfig=" + schedulerConfig}, common...))
}

// serviceAccountKey writes the key that signs tokens.
func (c *Cluster) serviceAccountKey() (path string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("making the service accounts' key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encoding the service accounts' key: %w", err)
	}
	path = c.CA.file("service-account.key")
	return path, writePEM(path, "EC PRIVATE KEY", der)
}

// freePorts returns n different TCP ports of loopback that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		// Kept open until all are found, so that none is found twice. A listener that will not close keeps its port, which
		// the component then says.
		defer func() { _ = listener.Close() }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func loopbackURL(scheme string, port int) string {
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port)
}
