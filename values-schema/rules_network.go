package valuesschema

import "net"

// peers follow the validation of whom a NetworkPolicy lets in.
func (c *check) peers(path Path) {
	for i := range c.list(path) {
		at := path.With(i)
		peer := c.object(at)
		if peer == nil || c.misspelled(at, "ipBlock", "podSelector", "namespaceSelector") {
			continue
		}
		c.labelSelector(at.With("podSelector"))
		c.labelSelector(at.With("namespaceSelector"))
		switch {
		case peer["ipBlock"] == nil && peer["podSelector"] == nil && peer["namespaceSelector"] == nil:
			c.errorf("pod-invalid", at, "write namespaceSelector: {} for every pod of the cluster, or from: [] for every address", "a source requires ipBlock, podSelector or namespaceSelector")
		case peer["ipBlock"] == nil:
		case peer["podSelector"] != nil || peer["namespaceSelector"] != nil:
			c.errorf("pod-invalid", at, "write two sources", "ipBlock cannot be combined with podSelector or namespaceSelector")
		default:
			c.addresses(at.With("ipBlock"))
		}
	}
}

// addresses look at a range of addresses, and at what it leaves out.
func (c *check) addresses(block Path) {
	c.misspelled(block, "cidr", "except")
	_, all, err := net.ParseCIDR(c.str(block.With("cidr")))
	if err != nil {
		c.errorf("pod-invalid", block, "such as cidr: 10.0.0.0/8", "requires cidr, an address and the length of its prefix")
		return
	}
	for i := range c.list(block.With("except")) {
		at := block.With("except", i)
		_, within, err := net.ParseCIDR(c.str(at))
		if err != nil {
			c.errorf("pod-invalid", at, "such as 10.1.0.0/16", "must be an address and the length of its prefix")
			continue
		}
		length, _ := all.Mask.Size()
		if n, _ := within.Mask.Size(); !all.Contains(within.IP) || n <= length {
			c.errorf("pod-invalid", at, "", "must be a smaller range within %s", all)
		}
	}
}

// labelSelector follows the validation of a selector of labels.
func (c *check) labelSelector(path Path) {
	c.misspelled(path, "matchLabels", "matchExpressions")
	c.labels(path.With("matchLabels"))
	for i := range c.list(path.With("matchExpressions")) {
		at := path.With("matchExpressions", i)
		if op := c.str(at.With("operator")); op == "Gt" || op == "Lt" {
			c.errorf("selector-invalid", at.With("operator"), "", "must be In, NotIn, Exists or DoesNotExist")
			continue
		}
		c.requirement(at)
	}
}
