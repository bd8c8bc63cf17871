package rollout

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const kmmGroup = "kmm.sigs.x-k8s.io"

// kmmModule is what is read of KMM's Module. KMM's own Go types are not to be
// had as a dependency.
type kmmModule struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Selector    map[string]string   `json:"selector"`
		Tolerations []corev1.Toleration `json:"tolerations"`
		Loader      struct {
			Container struct {
				Version  string       `json:"version"`
				Build    any          `json:"build"`
				Sign     any          `json:"sign"`
				Mappings []kmmMapping `json:"kernelMappings"`
			} `json:"container"`
		} `json:"moduleLoader"`
	} `json:"spec"`
}

type kmmMapping struct {
	Literal string `json:"literal"`
	Regexp  string `json:"regexp"`
	Build   any    `json:"build"`
	Sign    any    `json:"sign"`
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
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	BootID    string         `json:"bootId"`
	Version   string         `json:"version"`
	Config    map[string]any `json:"config"`
}

func (e *kmmEntry) text(key string) string {
	s, _ := e.Config[key].(string)
	return s
}

// kmmImages is what is read of a ModuleImagesConfig.
type kmmImages struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		Images []struct {
			Image  string `json:"image"`
			Kernel string `json:"kernelVersion"`
		} `json:"images"`
	} `json:"spec"`
	Status struct {
		States []kmmImageState `json:"imagesStates"`
	} `json:"status"`
}

type kmmImageState struct {
	Image  string `json:"image"`
	Status string `json:"status"`
}

// kmmFacts are what KMM shows of one Module.
type kmmFacts struct {
	module *kmmModule
	nodes  map[string]*kmmNode
	images *kmmImages
	// builds are the states of a ModuleBuildSignConfig.
	builds *kmmImages
	// pods are those of KMM in the Module's namespace.
	pods []*corev1.Pod
	// lost are worker pods that were seen before KMM deleted them, by node.
	lost map[string]*corev1.Pod
	// podSecurity is the level that the namespace enforces.
	podSecurity string
}

// readKMM reads all of it. module stays nil if there is none.
func (c *Client) readKMM(ctx context.Context, f *facts) (*kmmFacts, error) {
	k := &kmmFacts{nodes: map[string]*kmmNode{}, lost: f.workers}
	r := f.release
	modules, err := listKMM[kmmModule](ctx, c, "modules", r.Namespace, labels.Set{labelInstance: r.Name}.String())
	if err != nil || len(modules) == 0 {
		return k, err
	}
	k.module = modules[0]
	nodes, err := listKMM[kmmNode](ctx, c, "nodemodulesconfigs", "", "")
	if err != nil {
		return k, err
	}
	for _, n := range nodes {
		k.nodes[n.Name] = n
	}
	if k.images, err = c.imagesOf(ctx, "moduleimagesconfigs", k.module); err != nil {
		return k, err
	}
	if k.builds, err = c.imagesOf(ctx, "modulebuildsignconfigs", k.module); err != nil {
		return k, err
	}
	ns, err := c.core.Namespaces().Get(ctx, r.Namespace, metav1.GetOptions{})
	if err == nil {
		k.podSecurity = ns.Labels["pod-security.kubernetes.io/enforce"]
	}
	return k, c.kmmPods(ctx, r, k)
}

// imagesOf finds the object named as the Module. KMM before 2.4 has none.
func (c *Client) imagesOf(ctx context.Context, resource string, m *kmmModule) (*kmmImages, error) {
	list, err := listKMM[kmmImages](ctx, c, resource, m.Namespace, "")
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil, nil
	}
	for _, i := range list {
		if i.Name == m.Name {
			return i, err
		}
	}
	return nil, err
}

func (c *Client) kmmPods(ctx context.Context, r *Release, k *kmmFacts) error {
	opts := metav1.ListOptions{LabelSelector: labelComponent + "!=agent", Limit: pageSize}
	for {
		page, err := c.core.Pods(r.Namespace).List(ctx, opts)
		if err != nil {
			return fmt.Errorf("listing KMM's pods: %w", err)
		}
		for i := range page.Items {
			if p := &page.Items[i]; kmmLabel(p, "module.name") == k.module.Name || kmmLabel(p, "image-owner") == k.module.Name {
				k.pods = append(k.pods, slim(p))
			}
		}
		if opts.Continue = page.Continue; opts.Continue == "" {
			return nil
		}
	}
}

// kmmLabel reads a label of KMM's, which newer versions write with a prefix.
func kmmLabel(p *corev1.Pod, name string) string {
	return cmp.Or(p.Labels["kmm.node.kubernetes.io/"+name], p.Labels[name])
}

// listKMM lists objects of KMM's group as far as T has fields for them.
func listKMM[T any](ctx context.Context, c *Client, resource, namespace, selector string) ([]*T, error) {
	gvr := schema.GroupVersionResource{Group: kmmGroup, Version: "v1beta1", Resource: resource}
	opts := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	var all []*T
	for {
		page, err := c.dynamic.Resource(gvr).Namespace(namespace).List(ctx, opts)
		if err != nil {
			return nil, fmt.Errorf("listing %s.%s: %w", resource, kmmGroup, err)
		}
		for i := range page.Items {
			one, err := fromUnstructured[T](&page.Items[i])
			if err != nil {
				return nil, fmt.Errorf("reading %s %s: %w", resource, page.Items[i].GetName(), err)
			}
			all = append(all, one)
		}
		if opts.Continue = page.GetContinue(); opts.Continue == "" {
			return all, nil
		}
	}
}

func fromUnstructured[T any](u *unstructured.Unstructured) (*T, error) {
	one := new(T)
	return one, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, one)
}
