package valuesschema

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// StringMap is a map of strings in which a plain number or boolean is taken as
// its text, as the chart does.
type StringMap map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (m *StringMap) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("cannot read a map of strings: %w", err)
	}
	*m = StringMap{}
	for k, v := range raw {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		(*m)[k] = s
	}
	return nil
}

// Duration is a Go duration, or 0 without a unit.
type Duration time.Duration

// UnmarshalJSON implements json.Unmarshaler.
func (d *Duration) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "0" || text == "null" {
		*d = 0
		return nil
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("cannot read a duration: %w", err)
	}
	*d = Duration(parsed)
	return nil
}

// Typed returns the merged values. It is of use only when Validate finds no
// error.
func (d *Document) Typed() (Values, error) {
	var v Values
	data, err := json.Marshal(d.merged)
	if err != nil {
		return v, fmt.Errorf("cannot read the values: %w", err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("cannot read the values: %w", err)
	}
	v.Tap.KernelModule.historic()
	return v, nil
}

// historic gives tap.kernelModule.image the meaning that it has today, as the
// chart does.
func (k *KernelModule) historic() {
	if url := strings.TrimSuffix(k.Source.URL, "/"); k.Image != "" && (url == "" || url == HistoricRoot) {
		k.Source.URL = "oci://" + withRegistry(k.Image)
	}
}

// Installs tells whether the values install anything.
func (v Values) Installs() bool {
	off := v.Tap.NoKernelModule
	return v.Tap.KernelModule.Enabled && (off == nil || !*off)
}

// WorkerTerms are the node selector terms of Kubeshark's workers: those of
// tap.nodeSelectorTerms, a list in older and a map in newer charts.
func (t Tap) WorkerTerms() []any {
	switch terms := t.NodeSelectorTerms.(type) {
	case []any:
		return terms
	case map[string]any:
		list, _ := terms["workers"].([]any)
		return list
	}
	return nil
}
