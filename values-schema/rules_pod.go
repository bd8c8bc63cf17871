package valuesschema

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// dns follows the validation of a pod's DNS settings.
func (c *check) dns(pod Path) {
	config := pod.With("dnsConfig")
	if c.str(pod.With("dnsPolicy")) == "None" && len(c.list(config.With("nameservers"))) == 0 {
		c.errorf("pod-invalid", pod.With("dnsPolicy"), "add nameservers to dnsConfig", "the policy None requires dnsConfig with nameservers")
	}
	for i := range c.list(config.With("nameservers")) {
		if at := config.With("nameservers", i); len(validation.IsValidIP(nil, c.str(at))) > 0 {
			c.errorf("pod-invalid", at, "", "must be an IP address")
		}
	}
	for i := range c.list(config.With("options")) {
		if at := config.With("options", i); c.object(at) != nil && c.str(at.With("name")) == "" {
			c.errorf("pod-invalid", at, "add name", "an option requires a name")
		}
	}
}

// podSecurity follows the validation of the numbers in a pod's security context.
func (c *check) podSecurity(path Path) {
	c.misspelled(path, "appArmorProfile", "fsGroup", "fsGroupChangePolicy", "runAsGroup", "runAsNonRoot", "runAsUser", "seLinuxChangePolicy",
		"seLinuxOptions", "seccompProfile", "supplementalGroups", "supplementalGroupsPolicy", "sysctls", "windowsOptions")
	for _, field := range []string{"allowPrivilegeEscalation", "capabilities", "privileged", "procMount", "readOnlyRootFilesystem"} {
		if c.object(path)[field] != nil {
			c.errorf("pod-invalid", path.With(field), "remove it: the chart sets what its containers need", "a pod has no such field, only a container")
		}
	}
	for _, field := range []string{"fsGroup", "runAsUser", "runAsGroup"} {
		if v, _ := lookup(c.values, path.With(field)); v != nil {
			if f, ok := v.(float64); !ok || f < 0 || f > 1<<31-1 || f != float64(int64(f)) {
				c.errorf("pod-invalid", path.With(field), "", "must be an integer from 0 to 2147483647")
			}
		}
	}
	for i := range c.list(path.With("sysctls")) {
		if at := path.With("sysctls", i, "name"); !sysctlName().MatchString(c.str(at)) {
			c.errorf("pod-invalid", path.With("sysctls", i), "such as net.core.rmem_max", "invalid name of a sysctl")
		}
	}
}

var sysctlName = lazyregexp.New(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)

// updateStrategy follows the validation of a DaemonSet's.
func (c *check) updateStrategy(path Path) {
	if kind := c.str(path.With("type")); kind != "" && kind != "RollingUpdate" && kind != "OnDelete" {
		c.errorf("pod-invalid", path.With("type"), "", "must be RollingUpdate or OnDelete")
	}
	rolling := path.With("rollingUpdate")
	if c.object(rolling) == nil {
		return
	}
	misspelled, unavailable, surge := c.misspelled(rolling, "maxUnavailable", "maxSurge"), c.share(rolling.With("maxUnavailable")), c.share(rolling.With("maxSurge"))
	if !misspelled && unavailable && surge {
		c.rollingUpdate(rolling)
	}
}

// rollingUpdate checks how the two numbers of a rolling update go together.
func (c *check) rollingUpdate(rolling Path) {
	none := func(field string) bool {
		v, _ := lookup(c.values, rolling.With(field))
		return v == nil || v == float64(0) || v == "0%"
	}
	unavailable, _ := lookup(c.values, rolling.With("maxUnavailable"))
	switch {
	case unavailable != nil && none("maxUnavailable") && none("maxSurge"):
		c.errorf("pod-invalid", rolling, "set one of them to 1 or more", "maxUnavailable and maxSurge cannot both be 0")
	case !none("maxSurge") && unavailable != nil && !none("maxUnavailable"):
		c.errorf("pod-invalid", rolling, "set one of them to 0", "maxUnavailable and maxSurge cannot both be above 0")
	case unavailable == nil && !none("maxSurge"):
		c.errorf("pod-invalid", rolling, "add maxUnavailable: 0", "maxSurge requires maxUnavailable: 0, since its default is 1")
	case !none("maxSurge") && c.mode() != "kmm" && c.boolean(module.With("unloadOnDestroy")):
		c.errorf("pod-invalid", rolling.With("maxSurge"), "write maxUnavailable: 1 instead", "with unloadOnDestroy the old pod, which ends after the new one is ready, unloads the module of both")
	}
}

// share looks at a number of pods or a percentage of them; false if it is neither.
func (c *check) share(path Path) bool {
	v, _ := lookup(c.values, path)
	switch v := v.(type) {
	case nil:
		return true
	case float64:
		if v >= 0 && v <= 1<<31-1 && v == float64(int64(v)) {
			return true
		}
	case string:
		digits, ok := strings.CutSuffix(v, "%")
		if n, err := strconv.ParseUint(digits, 10, 8); ok && err == nil && n <= 100 {
			return true
		}
	}
	c.errorf("pod-invalid", path, "", "must be a number of pods, such as 1, or a percentage up to 100%%, such as 10%%")
	return false
}

// misspelled finds keys that are nearly one of those known, and that Kubernetes therefore ignores.
func (c *check) misspelled(path Path, known ...string) (found bool) {
	for _, key := range slices.Sorted(maps.Keys(c.object(path))) {
		if near := Nearest(key, known); near != "" && near != key {
			c.errorf("pod-invalid", path.With(key), "did you mean "+near+"?", "Kubernetes ignores it")
			found = true
		}
	}
	return found
}
