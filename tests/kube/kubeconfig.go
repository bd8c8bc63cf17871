package kube

import (
	"crypto/x509/pkix"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Groups and users that Kubernetes knows without any binding of ours.
var (
	admin             = pkix.Name{CommonName: "admin", Organization: []string{"system:masters"}}
	controllerManager = pkix.Name{CommonName: "system:kube-controller-manager"}
	scheduler         = pkix.Name{CommonName: "system:kube-scheduler"}
)

// WriteKubeconfig writes NAME.kubeconfig for a user with the given name and
// groups (as organizations), with a fresh certificate, and returns its path.
func (c *Cluster) WriteKubeconfig(name string, user pkix.Name) (string, error) {
	cert, key, err := c.CA.Issue(name, user)
	if err != nil {
		return "", err
	}
	config := api.NewConfig()
	config.Clusters["test"] = &api.Cluster{Server: c.URL, CertificateAuthority: c.CA.CertFile()}
	config.AuthInfos["user"] = &api.AuthInfo{ClientCertificate: cert, ClientKey: key}
	config.Contexts["test"] = &api.Context{Cluster: "test", AuthInfo: "user"}
	config.CurrentContext = "test"
	path := c.CA.file(name + ".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", name, err)
	}
	return path, nil
}
