package main

import (
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kubeshark/kubeshark-pfring/tests/child"
)

// operatorNamespace is where KMM's own installation puts it.
const operatorNamespace = "kmm-operator-system"

// webhookPort is a port on loopback for KMM's webhook, managerPort one for the
// operator's health.
const (
	webhookPort = 29443
	managerPort = 28081
)

// operator is KMM's manager, which scenarios stop and start.
type operator struct {
	start func() error
	stop  func()
}

// install builds KMM, defines its resources and starts webhook and manager as
// processes with an administrator's login.
func (b *bed) install() (*operator, error) {
	for _, name := range []string{"manager", "webhook-server"} {
		cmd := exec.Command("go", "build", "-C", b.checkout, "-ldflags", "-s -w", "-o", filepath.Join(b.dir, name), "./cmd/"+name) // #nosec G204 -- arguments of our own
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", name, err, text)
		}
	}
	certs := filepath.Join(b.dir, "k8s-webhook-server", "serving-certs")
	if err := os.MkdirAll(certs, 0o750); err != nil {
		return nil, err
	}
	cert, key, err := b.CA.Issue("kmm-webhook", pkix.Name{CommonName: "localhost"})
	if err != nil {
		return nil, err
	}
	for from, to := range map[string]string{cert: "tls.crt", key: "tls.key"} {
		if err := os.Rename(from, filepath.Join(certs, to)); err != nil {
			return nil, err
		}
	}
	if text, err := b.kubectlRun("", "apply", "--server-side", "-f", filepath.Join(b.checkout, "config", "crd", "bases")); err != nil {
		return nil, fmt.Errorf("defining KMM's resources: %w\n%s", err, text)
	}
	ca, err := os.ReadFile(b.CA.CertFile())
	if err != nil {
		return nil, err
	}
	if text, err := b.kubectlRun(fmt.Sprintf(installation, base64.StdEncoding.EncodeToString(ca), webhookPort, managerPort), "apply", "-f", "-"); err != nil {
		return nil, fmt.Errorf("applying KMM's installation: %w\n%s", err, text)
	}
	if _, err := b.process("webhook-server", "--config=webhook-config", "--enable-module"); err != nil {
		return nil, err
	}
	o := &operator{}
	o.start = func() error {
		stop, err := b.process("manager", "--config=manager-config", "-v=1")
		o.stop = stop
		return err
	}
	return o, o.start()
}

// process starts one of KMM's programs, which dies with this one.
func (b *bed) process(name string, args ...string) (stop func(), err error) {
	log, err := os.OpenFile(filepath.Join(b.dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(b.dir, name), args...) // #nosec G204 -- built above
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, b.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.Kubeconfig, "TMPDIR="+b.dir, "OPERATOR_NAMESPACE="+operatorNamespace,
		"RELATED_IMAGE_WORKER=kmm/worker:x", "RELATED_IMAGE_BUILD=kmm/kaniko:x", "RELATED_IMAGE_SIGN=kmm/sign:x")
	done, err := child.Start(cmd)
	if err != nil {
		return nil, err
	}
	select {
	case <-done:
		text, _ := os.ReadFile(log.Name())
		return nil, fmt.Errorf("%s ended at once:\n%s", name, text)
	case <-time.After(3 * time.Second):
	}
	return func() { _ = cmd.Process.Kill(); <-done; _ = log.Close() }, nil
}

// installation is what KMM's own holds beside its definitions, as far as it
// matters here. The webhook is called on loopback, and the Deployment stands for
// the process beside it.
const installation = `
apiVersion: v1
kind: Namespace
metadata: {name: kmm-operator-system}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: kmm-operator-validating-webhook-configuration}
webhooks:
  - name: vmodule.kb.io
    admissionReviewVersions: [v1]
    clientConfig: {caBundle: %[1]s, url: "https://localhost:%[2]d/validate-kmm-sigs-x-k8s-io-v1beta1-module"}
    failurePolicy: Fail
    sideEffects: None
    rules: [{apiGroups: [kmm.sigs.x-k8s.io], apiVersions: [v1beta1], operations: [CREATE, UPDATE], resources: [modules]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: manager-config, namespace: kmm-operator-system}
data:
  controller_config.yaml: |
    healthProbeBindAddress: 127.0.0.1:%[3]d
    webhookPort: 9443
    leaderElection: {enabled: false, resourceID: x}
    metrics: {bindAddress: "0"}
    worker: {runAsUser: 0, seLinuxType: spc_t}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: webhook-config, namespace: kmm-operator-system}
data:
  controller_config.yaml: |
    healthProbeBindAddress: 127.0.0.1:28082
    webhookPort: %[2]d
    leaderElection: {enabled: false, resourceID: x}
    metrics: {bindAddress: "0"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: kmm-operator-controller
  namespace: kmm-operator-system
  labels: {app.kubernetes.io/name: kmm, control-plane: controller}
spec:
  selector: {matchLabels: {control-plane: controller}}
  template:
    metadata: {labels: {control-plane: controller}}
    spec:
      nodeSelector: {infra: "true"}
      tolerations: [{operator: Exists}]
      containers: [{name: manager, image: kmm/manager:x}]
`
