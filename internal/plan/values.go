package plan

import (
	"cmp"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/kmm"
)

// values are what to install with.
func (d *decision) values() map[string]any {
	k := map[string]any{}
	switch d.plan.Mode {
	case "auto":
		k["mode"] = "auto"
		if d.plan.Way == AutoSupply {
			k["supply"] = map[string]any{"enabled": true}
		}
		if source := d.source(); source != nil && (d.plan.Way != AutoPrivate || !d.NoEgress) {
			k["source"] = source
		}
	case "kmm":
		k["mode"] = "kmm"
		if d.SupplyOn {
			k["supply"] = map[string]any{"enabled": false}
		}
		k["kernelMappings"] = d.mappings()
		if d.ImageRepoSecret != "" {
			k["imageRepoSecret"] = d.ImageRepoSecret
		} else if d.plan.Way == KMMBuild {
			k["imageRepoSecret"] = pushSecret
		}
		if len(d.Release+"-pf-ring"+cmp.Or(d.Namespace, "kubeshark")) > kmm.MaxName {
			k["kmm"] = map[string]any{"moduleName": "pf-ring"}
		}
	default:
		if d.plan.Way == None {
			k["enabled"] = false
		}
	}
	values := map[string]any{"tap": map[string]any{"kernelModule": k}}
	if d.Subchart != "" {
		return map[string]any{d.Subchart: values}
	}
	return values
}

// source is what the values say of the module repository; nil for none.
func (d *decision) source() map[string]any {
	if d.SourceURL == "" {
		return nil
	}
	source := map[string]any{"url": d.SourceURL}
	if len(d.PublicKeys) > 0 {
		source["publicKeys"] = d.PublicKeys
	}
	if dir, isFile := strings.CutPrefix(d.SourceURL, "file://"); isFile && !d.SourceMounted {
		source["volume"] = map[string]any{"hostPath": map[string]any{"path": dir, "type": "Directory"}}
	}
	return source
}

// mappings has one literal for each kernel; architectures share an image.
func (d *decision) mappings() []any {
	list := []any{}
	seen, builds := map[string]bool{}, d.builds()
	for _, k := range d.plan.Kernels {
		name := literal(k.Kernel)
		if k.By == byLibpcap || seen[name] {
			continue
		}
		seen[name] = true
		m := map[string]any{"literal": name, "containerImage": k.Image}
		if k.By == byBuild {
			m["build"] = builds[name]
		}
		list = append(list, m)
	}
	return list
}

// ValuesYAML is the values file, which says in its head where it comes from.
func (p Plan) ValuesYAML() ([]byte, error) {
	data, err := yaml.Marshal(p.Values)
	if err != nil {
		return nil, fmt.Errorf("cannot write the values: %w", err)
	}
	var b strings.Builder
	b.WriteString("# Written by pfring plan. " + comment(p.Title) + "\n")
	for _, why := range p.Why {
		b.WriteString("# - " + comment(why) + "\n")
	}
	for _, step := range p.First {
		b.WriteString("# Do first: " + comment(step.What) + "\n")
	}
	for _, note := range p.Notes {
		b.WriteString("# To know: " + comment(note) + "\n")
	}
	return append([]byte(b.String()), data...), nil
}

// comment keeps text on one line.
func comment(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(c rune) bool { return c < ' ' || c == 0x85 || c == 0x2028 || c == 0x2029 }), " ")
}
