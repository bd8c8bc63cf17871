package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// kmmModule is what is read of KMM's Module. KMM's own Go types cannot be used as
// a dependency.
type kmmModule struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector        map[string]string            `json:"selector"`
		Tolerations     []corev1.Toleration          `json:"tolerations"`
		ImageRepoSecret *corev1.LocalObjectReference `json:"imageRepoSecret"`
		Loader          struct {
			Account   string       `json:"serviceAccountName"`
			Container kmmContainer `json:"container"`
		} `json:"moduleLoader"`
	} `json:"spec"`
}

type kmmContainer struct {
	Version        string       `json:"version"`
	ContainerImage string       `json:"containerImage"`
	Build          *kmmBuild    `json:"build"`
	Sign           *kmmSign     `json:"sign"`
	Mappings       []kmmMapping `json:"kernelMappings"`
}

type kmmMapping struct {
	Literal        string    `json:"literal"`
	Regexp         string    `json:"regexp"`
	ContainerImage string    `json:"containerImage"`
	Build          *kmmBuild `json:"build"`
	Sign           *kmmSign  `json:"sign"`
}

type kmmBuild struct {
	Dockerfile corev1.LocalObjectReference   `json:"dockerfileConfigMap"`
	Secrets    []corev1.LocalObjectReference `json:"secrets"`
}

type kmmSign struct {
	Key  corev1.LocalObjectReference `json:"keySecret"`
	Cert corev1.LocalObjectReference `json:"certSecret"`
}

// kmmNode is what is read of a NodeModulesConfig.
type kmmNode struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Modules []kmmEntry `json:"modules"`
	} `json:"spec"`
	Status struct {
		Modules []kmmEntry `json:"modules"`
	} `json:"status"`
}

type kmmEntry struct {
	Name      string     `json:"name"`
	Namespace string     `json:"namespace"`
	BootID    string     `json:"bootId"`
	Version   string     `json:"version"`
	Config    kmm.Config `json:"config"`
}

// kmmImages is what is read of a ModuleImagesConfig.
type kmmImages struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Images []kmmImage `json:"images"`
	} `json:"spec"`
	Status struct {
		States []kmmImageState `json:"imagesStates"`
	} `json:"status"`
}

type kmmImage struct {
	Image  string `json:"image"`
	Kernel string `json:"kernelVersion"`
}

type kmmImageState struct {
	Image  string `json:"image"`
	Status string `json:"status"`
}

// kmmBuilds is what is read of a ModuleBuildSignConfig.
type kmmBuilds struct {
	metav1.ObjectMeta `json:"metadata"`
	Status            struct {
		States []kmmImageState `json:"images"`
	} `json:"status"`
}

// kmmFacts are what KMM shows of one Module.
type kmmFacts struct {
	module *kmmModule
	nodes  map[string]*kmmNode
	images *kmmImages
	builds *kmmBuilds
	// pods are those of KMM in the Module's namespace.
	pods []*corev1.Pod
	// lost are worker pods that were seen before KMM deleted them, by node.
	lost map[string]*corev1.Pod
	// around is what surrounds KMM's work.
	around kmmAround
	// stalling is the kernel release on which KMM fails, and with it on the whole
	// Module, and a node that runs it.
	stalling, stallingNode string
}

// readKMM reads all of it. module stays nil if there is none.
func (c *Client) readKMM(ctx context.Context, f *facts) (*kmmFacts, error) {
	k := &kmmFacts{nodes: map[string]*kmmNode{}, lost: f.workers}
	r := f.release
	modules, err := listKMM[kmmModule](ctx, c, "modules", r.Namespace, labels.Set{labelName: chartName}.String())
	if err != nil {
		return k, err
	}
	if k.module = r.module(modules); k.module == nil {
		return k, nil
	}
	nodes, err := listKMM[kmmNode](ctx, c, "nodemodulesconfigs", "", "")
	if err != nil {
		return k, err
	}
	for _, n := range nodes {
		k.nodes[n.Name] = n
	}
	if k.images, err = named[kmmImages](ctx, c, "moduleimagesconfigs", k.module); err != nil {
		return k, err
	}
	if k.builds, err = named[kmmBuilds](ctx, c, "modulebuildsignconfigs", k.module); err != nil {
		return k, err
	}
	if err := c.kmmPods(ctx, r, k); err != nil {
		return k, err
	}
	k.stall(f.targets)
	return k, nil
}

// module is the release's among the chart's Modules of its namespace: by the label,
// and where Argo CD has put its application's name there, by the chart's name for it.
func (r *Release) module(all []*kmmModule) *kmmModule {
	for _, is := range []func(*kmmModule) bool{
		func(m *kmmModule) bool { return m.Labels[labelInstance] == r.Name },
		func(m *kmmModule) bool { return m.Name == r.Name+"-pf-ring" },
		func(*kmmModule) bool { return len(all) == 1 },
	} {
		if i := slices.IndexFunc(all, is); i >= 0 {
			return all[i]
		}
	}
	return nil
}

// named finds the object named as the Module. KMM before 2.4 has none.
func named[T any](ctx context.Context, c *Client, resource string, m *kmmModule) (*T, error) {
	gvr := schema.GroupVersionResource{Group: kmm.Group, Version: kmm.ModuleVersion, Resource: resource}
	object, err := c.dynamic.Resource(gvr).Namespace(m.Namespace).Get(ctx, m.Name, metav1.GetOptions{})
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s.%s: %w", resource, kmm.Group, err)
	}
	return fromUnstructured[T](object)
}

func (c *Client) kmmPods(ctx context.Context, r *Release, k *kmmFacts) error {
	pods := c.core.Pods(r.Namespace)
	_, err := cluster.Pages(ctx, "KMM's pods in namespace "+r.Namespace, metav1.ListOptions{LabelSelector: labelComponent + "!=agent"}, pods.List,
		func() { k.pods = nil }, func(page *corev1.PodList) {
			for i := range page.Items {
				if p := &page.Items[i]; cmp.Or(kmm.Label(p.Labels, kmm.LabelModule), kmm.Label(p.Labels, kmm.LabelImageOwner)) == k.module.Name {
					k.pods = append(k.pods, slim(p))
				}
			}
		})
	return err
}

// listKMM lists objects of KMM's group as far as T has fields for them.
func listKMM[T any](ctx context.Context, c *Client, resource, namespace, selector string) ([]*T, error) {
	gvr := schema.GroupVersionResource{Group: kmm.Group, Version: kmm.ModuleVersion, Resource: resource}
	var all []*T
	var unread error
	_, err := cluster.Pages(ctx, resource+"."+kmm.Group, metav1.ListOptions{LabelSelector: selector}, c.dynamic.Resource(gvr).Namespace(namespace).List,
		func() { all, unread = nil, nil }, func(page *unstructured.UnstructuredList) {
			for i := range page.Items {
				one, err := fromUnstructured[T](&page.Items[i])
				if err != nil {
					unread = cmp.Or(unread, fmt.Errorf("cannot read %s %s: %w", resource, page.Items[i].GetName(), err))
					continue
				}
				all = append(all, one)
			}
		})
	return all, errors.Join(err, unread)
}

func fromUnstructured[T any](u *unstructured.Unstructured) (*T, error) {
	one := new(T)
	return one, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, one)
}

func (k *kmmFacts) entry(list []kmmEntry) *kmmEntry {
	for i := range list {
		if list[i].Name == k.module.Name && list[i].Namespace == k.module.Namespace {
			return &list[i]
		}
	}
	return nil
}

// entries are what KMM wants on a node and what it last loaded there; nil is
// nothing.
func (k *kmmFacts) entries(node string) (want, have *kmmEntry) {
	nmc := k.nodes[node]
	if nmc == nil {
		return nil, nil
	}
	return k.entry(nmc.Spec.Modules), k.entry(nmc.Status.Modules)
}

// mapping is the first that matches, or nil.
func (k *kmmFacts) mapping(kernel string) *kmmMapping {
	list := k.module.Spec.Loader.Container.Mappings
	matchers := make([]kmm.Matcher, len(list))
	for i, m := range list {
		matchers[i] = kmm.Matcher{Literal: m.Literal, Regexp: m.Regexp}
	}
	if i, err := kmm.First(matchers, kernel); err == nil && i >= 0 {
		return &list[i]
	}
	return nil
}

// stall finds a node whose kernel makes KMM fail on the whole Module.
func (k *kmmFacts) stall(targets map[string]*target) {
	for name, t := range targets {
		hit := kmm.Stalls(t.kernel) && k.selects(t).message == "" && k.tolerates(t).message == "" && k.mapping(t.kernel) != nil
		if hit && (k.stallingNode == "" || name < k.stallingNode) {
			k.stalling, k.stallingNode = t.kernel, name
		}
	}
}

// made are what KMM is to build and sign the image for a kernel by; nil is none.
func (k *kmmFacts) made(kernel string) (build *kmmBuild, sign *kmmSign) {
	c := &k.module.Spec.Loader.Container
	m := k.mapping(kernel)
	if m == nil {
		return c.Build, c.Sign
	}
	return c.build(m), c.sign(m)
}

// build is that of a mapping laid over the container's: its Dockerfile replaces, its
// Secrets come in addition. From internal/module/kernelmapper.go, 2.0 to 2.7.
func (c *kmmContainer) build(m *kmmMapping) *kmmBuild {
	if c.Build == nil || m.Build == nil {
		return cmp.Or(m.Build, c.Build)
	}
	return &kmmBuild{
		Dockerfile: cmp.Or(m.Build.Dockerfile, c.Build.Dockerfile),
		Secrets:    slices.Concat(c.Build.Secrets, m.Build.Secrets),
	}
}

// sign is that of a mapping laid over the container's, field by field; from there too.
func (c *kmmContainer) sign(m *kmmMapping) *kmmSign {
	if c.Sign == nil || m.Sign == nil {
		return cmp.Or(m.Sign, c.Sign)
	}
	return &kmmSign{Key: cmp.Or(m.Sign.Key, c.Sign.Key), Cert: cmp.Or(m.Sign.Cert, c.Sign.Cert)}
}

// wanted is the image that the Module asks for, "" if none.
func (k *kmmFacts) wanted(kernel string) string {
	m := k.mapping(kernel)
	if m == nil {
		return ""
	}
	text, err := kmm.Substitute(cmp.Or(m.ContainerImage, k.module.Spec.Loader.Container.ContainerImage), kernel, k.module.Name, k.module.Namespace)
	if err != nil {
		return ""
	}
	return text
}

// image is what KMM wants to load for a kernel, "" before it has said. It names
// an image once, by the first kernel of those that share it.
func (k *kmmFacts) image(kernel string) string {
	if k.images == nil {
		return ""
	}
	wanted := k.wanted(kernel)
	for _, i := range k.images.Spec.Images {
		if i.Kernel == kmm.Trim(kernel) || wanted != "" && i.Image == wanted {
			return i.Image
		}
	}
	return ""
}

// state is what a list says of an image, "" if nothing.
func state(list []kmmImageState, image string) string {
	for _, s := range list {
		if s.Image == image {
			return s.Status
		}
	}
	return ""
}

// imageState is what KMM says of an image, "" if nothing.
func (k *kmmFacts) imageState(image string) string {
	if k.images == nil {
		return ""
	}
	return state(k.images.Status.States, image)
}
