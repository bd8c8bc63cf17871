package valuesschema

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Every key of the schema has a field, and every field a key.
func TestTypesAndSchemaHaveTheSameKeys(t *testing.T) {
	c, err := compile()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(typ reflect.Type, path Path)
	walk = func(typ reflect.Type, path Path) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			if typ.Kind() == reflect.Slice {
				path = path.With(0)
			}
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		var fields []string
		for i := range typ.NumField() {
			name := typ.Field(i).Tag.Get("json")
			fields = append(fields, name)
			walk(typ.Field(i).Type, path.With(name))
		}
		slices.Sort(fields)
		keys := slices.Clone(c.keys(path))
		slices.Sort(keys)
		if !slices.Equal(fields, keys) {
			t.Errorf("%s:\n types  %v\n schema %v", path, fields, keys)
		}
	}
	walk(reflect.TypeFor[Values](), nil)
}

func TestTypedReadsWhatTheChartReads(t *testing.T) {
	d, err := Load(LoadOptions{Defaults: []byte("tap: {kernelModule: {enabled: true, mode: auto, waitTimeout: 4m, source: {url: https://api.kubeshark.co/kernel-modules}}}"),
		SetJSON: []string{`tap={"kernelModule":{"image":"docker.io/x/y:all","waitTimeout":0,"agent":{"podLabels":{"a":1,"b":true,"c":"d"}},"parameters":{"min_num_slots":4294967295}},"nodeSelectorTerms":{"workers":[{"a":1}]},"noKernelModule":false}`}})
	if err != nil {
		t.Fatal(err)
	}
	v, err := d.Typed()
	if err != nil {
		t.Fatal(err)
	}
	k := v.Tap.KernelModule
	labels, err := json.Marshal(k.Agent.PodLabels)
	if err != nil {
		t.Fatal(err)
	}
	if k.WaitTimeout != 0 || k.Source.URL != "oci://docker.io/x/y:all" || string(labels) != `{"a":"1","b":"true","c":"d"}` ||
		k.Parameters["min_num_slots"] != "4294967295" || len(v.Tap.WorkerTerms()) != 1 || !v.Installs() {
		t.Errorf("%+v", v)
	}
	var dur Duration
	if err := json.Unmarshal([]byte(`"1h30m"`), &dur); err != nil || time.Duration(dur) != 90*time.Minute {
		t.Error(dur, err)
	}
}
