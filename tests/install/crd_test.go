package install_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/tests/kube"
	"github.com/kubeshark/kubeshark-pfring/tests/toolbin"
)

var (
	crdResource    = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	moduleResource = schema.GroupVersionResource{Group: "kmm.sigs.x-k8s.io", Version: "v1beta1", Resource: "modules"}
)

// minimalModuleCRD takes any Module: it stands in where KMM's own definition is not at hand.
const minimalModuleCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: modules.kmm.sigs.x-k8s.io}
spec:
  group: kmm.sigs.x-k8s.io
  names: {kind: Module, listKind: ModuleList, plural: modules, singular: module}
  scope: Namespaced
  versions:
    - name: v1beta1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// kmmCRD returns KMM's own definition of Module from the checkout that
// toolbin.KMMEnv names; fs.ErrNotExist without one.
func kmmCRD() ([]byte, error) {
	dir := os.Getenv(toolbin.KMMEnv)
	if dir == "" {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(filepath.Join(dir, toolbin.KMMModuleCRD))
}

// installModuleCRD installs KMM's own definition or the minimal one, and waits until it is served.
func installModuleCRD(ctx context.Context) error {
	text, err := kmmCRD()
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(minimalModuleCRD), nil
	}
	if err != nil {
		return err
	}
	var crd unstructured.Unstructured
	if err := yaml.Unmarshal(text, &crd.Object); err != nil {
		return fmt.Errorf("reading the CRD of Module: %w", err)
	}
	if _, err := shared.Dynamic.Resource(crdResource).Create(ctx, &crd, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("making the CRD of Module: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return kube.Poll(ctx, "the API of Module", func(ctx context.Context) (bool, error) {
		_, err := shared.Dynamic.Resource(moduleResource).List(ctx, metav1.ListOptions{})
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return err == nil, err
	})
}

// discover returns what knows the API server's resources. The server lists a new
// definition's somewhat later than it serves them.
func discover(ctx context.Context) (mapper meta.RESTMapper, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = kube.Poll(ctx, "Module in the list of the API's resources", func(context.Context) (bool, error) {
		groups, err := restmapper.GetAPIGroupResources(shared.Client.Discovery())
		if err != nil {
			return false, err
		}
		mapper = restmapper.NewDiscoveryRESTMapper(groups)
		_, err = mapper.KindFor(moduleResource)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
	return mapper, err
}
