package valuesschema

import (
	"fmt"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// helmTimeout is how long helm install --wait waits by default.
const helmTimeout = 5 * time.Minute

// checkKMM looks at what only kmm mode uses.
func checkKMM(c *check) {
	if c.mode() != "kmm" {
		return
	}
	c.moduleName()
	c.waitTimeout()
	c.selector()
	for _, path := range []Path{module.With("agent", "tolerations"), ParsePath("tap.tolerations.workers")} {
		tolerations := c.list(path)
		for i := range tolerations {
			at := path.With(i, "operator")
			if !kmm.TakesOperator(c.str(at)) {
				c.errorf("toleration-operator", at, "set separate tolerations for the agent in tap.kernelModule.agent.tolerations", "KMM supports only the operators Equal and Exists")
			}
		}
		if len(tolerations) > 0 {
			break
		}
	}
}

func (c *check) moduleName() {
	path := module.With("kmm", "moduleName")
	name, namespace := c.str(path), c.doc.opts.Namespace
	if name == "" {
		name = c.doc.opts.ReleaseName + "-pf-ring"
	}
	if n := len(name) + len(namespace); n > kmm.MaxName {
		c.errorf("name-too-long", path, "set a shorter tap.kernelModule.kmm.moduleName",
			"the Module's name %q and the namespace %q have %d characters together: must have at most %d for KMM", name, namespace, n, kmm.MaxName)
	}
}

func (c *check) waitTimeout() {
	path := module.With("waitTimeout")
	v, ok := lookup(c.values, path)
	if !ok || v == nil {
		return
	}
	text := fmt.Sprint(v)
	if text == "0" {
		text = "0s"
	}
	switch d, err := time.ParseDuration(text); {
	case err != nil:
	case d == 0:
		c.warnf("wait-timeout", path, "set it to 4m, or run Helm without --wait",
			"0 waits indefinitely: where KMM cannot load the module, capture never starts and helm --wait fails")
	case d >= helmTimeout:
		c.warnf("wait-timeout", path, "keep it below 5m, or give Helm a longer --timeout",
			"not shorter than Helm's --timeout, 5m by default, so helm --wait gives up first")
	}
}

// selector: KMM selects nodes by a plain map of labels.
func (c *check) selector() {
	if len(c.object(module.With("kmm", "selector"))) > 0 {
		return
	}
	path := ParsePath("tap.nodeSelectorTerms")
	if c.object(path) != nil {
		path = path.With("workers")
	}
	if why, at := c.notPlain(path); why != "" {
		c.errorf("selector-not-plain", at, "set tap.kernelModule.kmm.selector to the labels of the capturing nodes",
			"KMM selects nodes by labels alone, and tap.nodeSelectorTerms %s", why)
	}
}

// notPlain tells why node selector terms are not a map of labels, and where.
func (c *check) notPlain(path Path) (string, Path) {
	terms := c.list(path)
	if len(terms) > 1 {
		return "has more than one term", path
	}
	labels := map[string]string{}
	for key, v := range c.object(module.With("agent", "nodeSelector")) {
		labels[key] = fmt.Sprint(v)
	}
	for i := range terms {
		at := path.With(i)
		if len(c.list(at.With("matchFields"))) > 0 {
			return "has matchFields", at
		}
		expressions := c.list(at.With("matchExpressions"))
		if len(expressions) == 0 {
			return "has a term without matchExpressions", at
		}
		for j := range expressions {
			at := at.With("matchExpressions", j)
			key, values := c.str(at.With("key")), c.list(at.With("values"))
			if c.str(at.With("operator")) != "In" || len(values) != 1 {
				return fmt.Sprintf("requires something other than one value of %s", key), at
			}
			value := fmt.Sprint(values[0])
			if old, ok := labels[key]; ok && old != value {
				return "requires two values of " + key, at
			}
			labels[key] = value
		}
	}
	return "", nil
}
