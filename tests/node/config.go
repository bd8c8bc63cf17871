package node

import (
	"fmt"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/tests/vm"
)

// address is the node's own.
const address = "10.0.2.15"

// Where containerd and the kubelet of a node have their files.
const (
	containerdSocket = "/run/containerd/containerd.sock"
	containerdLog    = "/var/log/containerd.log"
	kubeletLog       = "/var/log/kubelet.log"
	servicesLog      = "/var/log/services.log"
)

// containerdConfig takes all images from one registry, without TLS.
func containerdConfig(registry string) map[string][]byte {
	return map[string][]byte{
		"/etc/containerd/config.toml": fmt.Appendf(nil, `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%s/pause:1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
`, registry),
		"/etc/containerd/certs.d/" + registry + "/hosts.toml": fmt.Appendf(nil, "server = \"http://%[1]s\"\n[host.\"http://%[1]s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", registry),
		// Pods reach this machine by the node, which answers for them: no address is translated.
		"/etc/cni/net.d/10-pods.conflist": []byte(`{"cniVersion": "1.0.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.88.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`),
	}
}

// kubeletConfig is for the node of that name, on which the kubelet serves at a
// port; url is the API server's on this machine. Certificates are put beside it.
func kubeletConfig(name, url, kubeletPort string) map[string][]byte {
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "https://"), ":")
	return map[string][]byte{
		"/etc/kubernetes/kubelet.yaml": []byte(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: /etc/kubernetes/ca.crt}
authorization: {mode: AlwaysAllow}
tlsCertFile: /etc/kubernetes/kubelet.crt
tlsPrivateKeyFile: /etc/kubernetes/kubelet.key
containerRuntimeEndpoint: unix://` + containerdSocket + `
port: ` + kubeletPort + `
cgroupDriver: cgroupfs
failSwapOn: false
resolvConf: ""
clusterDNS: [` + address + `]
clusterDomain: cluster.local
# There is one of everything, and it ends with the test.
enforceNodeAllocatable: []
evictionHard: {memory.available: 1Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
registerWithTaints: []
`),
		"/etc/kubernetes/kubeconfig": fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: node
clusters: [{name: node, cluster: {server: "https://%s:%s", tls-server-name: localhost, certificate-authority: /etc/kubernetes/ca.crt}}]
users: [{name: node, user: {client-certificate: /etc/kubernetes/kubelet.crt, client-key: /etc/kubernetes/kubelet.key}}]
contexts: [{name: node, context: {cluster: node, user: node}}]
`, vm.HostAddress, port),
		// Their folder has to be there.
		kubeletLog: nil, containerdLog: nil, servicesLog: nil,
		"/etc/hosts":      []byte("127.0.0.1 localhost\n10.0.2.15 " + name + "\n"),
		"/etc/os-release": []byte("ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
		"/etc/hostname":   []byte(name + "\n"),
		"/etc/passwd":     []byte("root:x:0:0:root:/:/bin/sh\n"),
		"/etc/group":      []byte("root:x:0:\n"),
	}
}
