package cluster_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubeshark/kubeshark-pfring/internal/cluster"
)

func TestReadNodesTakesWhatPeopleHave(t *testing.T) {
	fixtureText, err := os.ReadFile("testdata/nodes/rhcos.yaml")
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := yaml.YAMLToJSON(fixtureText)
	if err != nil {
		t.Fatal(err)
	}
	want := fixture(t, "rhcos")
	if want.Kernel != "5.14.0-427.68.1.el9_4.x86_64" || want.Arch != "amd64" || want.OS != "linux" || !want.Ready || want.BootID == "" {
		t.Fatalf("the fixture reads as %+v", want)
	}
	for name, text := range map[string]string{
		"a node as JSON":             string(asJSON),
		"a node as JSON, indented":   "\n  " + string(asJSON),
		"kubectl's list as JSON":     `{"apiVersion":"v1","kind":"List","items":[` + string(asJSON) + `]}`,
		"the API's list as JSON":     `{"kind":"NodeList","items":[` + string(asJSON) + `]}`,
		"kubectl's list as YAML":     "apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(string(fixtureText)), "\n", "\n  "),
		"a list after a YAML marker": "---\nkind: List\nitems: [" + string(asJSON) + "]\n",
	} {
		nodes, err := cluster.ReadNodes([]byte(text))
		if err != nil || len(nodes) != 1 || nodes[0] != want {
			t.Errorf("%s: %+v, %v", name, nodes, err)
		}
	}
}

func TestReadNodesTakesAListOfReleases(t *testing.T) {
	nodes, err := cluster.ReadNodes([]byte("# uname -r\n6.8.0-51-generic\n\n 5.15.0-1050-aws  aarch64 # a comment\n6.1.0-18-cloud-amd64\tx86_64\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range nodes {
		got = append(got, n.Name+" "+n.Kernel+" "+n.Arch+" "+n.OS)
	}
	want := []string{
		"6.8.0-51-generic 6.8.0-51-generic amd64 linux",
		"5.15.0-1050-aws 5.15.0-1050-aws arm64 linux",
		"6.1.0-18-cloud-amd64 6.1.0-18-cloud-amd64 amd64 linux",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestReadNodesSaysWhatIsWrong(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                {"", "no nodes or kernel releases"},
		"only comments":          {"# a\n\n# b\n", "no nodes or kernel releases"},
		"another kind":           {"kind: Pod\n", "the document is a Pod"},
		"a list of pods":         {`{"kind":"List","items":[{"kind":"Pod"}]}`, "item 0 of the list is a Pod"},
		"three words":            {"6.1.0\n6.1.0 amd64 more\n", "line 2:"},
		"a version with a v":     {"v6.1.0\n", "line 1:"},
		"a path":                 {"/boot/vmlinuz\n", "line 1:"},
		"a table of kubectl":     {"NAME STATUS ROLES\nn1 Ready worker\n", "line 1:"},
		"JSON cut in the middle": {`{"kind":"List","items":[{"kind":"No`, "cannot read JSON: unexpected end"},
		"wrong types":            {`{"kind":"List","items":{}}`, "cannot read a list of nodes"},
		"a wrong node":           {`{"kind":"Node","spec":[]}`, "cannot read a node"},
	} {
		if nodes, err := cluster.ReadNodes([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, %v", name, nodes, err)
		}
	}
}

func FuzzReadNodes(f *testing.F) {
	for _, text := range []string{
		"6.1.0-18-amd64 arm64\n", "kind: Node\nmetadata: {name: n}\n", `{"kind":"List","items":[{"kind":"Node"}]}`, "---\n", "{", "kind: [", "a: &a [*a]\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		nodes, err := cluster.ReadNodes(text)
		if err != nil && len(nodes) > 0 {
			t.Errorf("nodes together with %v", err)
		}
		for _, n := range nodes {
			if strings.ContainsAny(n.Kernel, "\n") && !strings.Contains(string(text), "kind") {
				t.Errorf("a release of two lines: %q", n.Kernel)
			}
		}
	})
}

func TestTargetsAreWhatTheSchedulerWouldTake(t *testing.T) {
	n := &corev1.Node{}
	n.Name, n.Labels = "n1", map[string]string{"zone": "a", "size": "8", "gpu": ""}
	for name, test := range map[string]struct {
		terms string
		match bool
	}{
		"no terms":                    {`[]`, true},
		"nothing at all":              {`null`, true},
		"a term without requirements": {`[{}]`, false},
		"In":                          {`[{"matchExpressions":[{"key":"zone","operator":"In","values":["b","a"]}]}]`, true},
		"In, another value":           {`[{"matchExpressions":[{"key":"zone","operator":"In","values":["b"]}]}]`, false},
		"In, no label":                {`[{"matchExpressions":[{"key":"none","operator":"In","values":[""]}]}]`, false},
		"NotIn":                       {`[{"matchExpressions":[{"key":"zone","operator":"NotIn","values":["a"]}]}]`, false},
		"NotIn, no label":             {`[{"matchExpressions":[{"key":"none","operator":"NotIn","values":["a"]}]}]`, true},
		"Exists, empty value":         {`[{"matchExpressions":[{"key":"gpu","operator":"Exists"}]}]`, true},
		"DoesNotExist":                {`[{"matchExpressions":[{"key":"gpu","operator":"DoesNotExist"}]}]`, false},
		"DoesNotExist, no label":      {`[{"matchExpressions":[{"key":"none","operator":"DoesNotExist"}]}]`, true},
		"Gt":                          {`[{"matchExpressions":[{"key":"size","operator":"Gt","values":["7"]}]}]`, true},
		"Gt, equal":                   {`[{"matchExpressions":[{"key":"size","operator":"Gt","values":["8"]}]}]`, false},
		"Lt":                          {`[{"matchExpressions":[{"key":"size","operator":"Lt","values":["9"]}]}]`, true},
		"Lt, no number":               {`[{"matchExpressions":[{"key":"zone","operator":"Lt","values":["9"]}]}]`, false},
		"Gt, no value":                {`[{"matchExpressions":[{"key":"size","operator":"Gt"}]}]`, false},
		"an unknown operator":         {`[{"matchExpressions":[{"key":"zone","operator":"Like","values":["a"]}]}]`, false},
		"both requirements of a term": {`[{"matchExpressions":[{"key":"zone","operator":"Exists"},{"key":"none","operator":"Exists"}]}]`, false},
		"any of two terms":            {`[{"matchExpressions":[{"key":"none","operator":"Exists"}]},{"matchExpressions":[{"key":"zone","operator":"Exists"}]}]`, true},
		"a field":                     {`[{"matchFields":[{"key":"metadata.name","operator":"In","values":["n1"]}]}]`, true},
		"another field":               {`[{"matchFields":[{"key":"metadata.uid","operator":"DoesNotExist"}]}]`, false},
	} {
		var values any
		if err := json.Unmarshal([]byte(test.terms), &values); err != nil {
			t.Fatal(err)
		}
		terms, err := cluster.ParseTerms(values)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := (cluster.Targets{Terms: terms}).Match(n); got != test.match {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (cluster.Targets{Labels: map[string]string{"zone": "b"}}).Match(n) || !(cluster.Targets{Labels: map[string]string{"zone": "a"}}).Match(n) {
		t.Error("labels are not compared")
	}
	if _, err := cluster.ParseTerms("zone"); err == nil {
		t.Error("a text was taken for terms")
	}
}

func TestReadNodesForMarksWhatIsLeftOut(t *testing.T) {
	text := []byte(`{"kind":"List","items":[{"metadata":{"name":"a","labels":{"x":"1"}}},{"metadata":{"name":"b"}}]}`)
	nodes, err := cluster.ReadNodesFor(text, cluster.Targets{Labels: map[string]string{"x": "1"}})
	if err != nil || len(nodes) != 2 || nodes[0].Excluded || !nodes[1].Excluded {
		t.Errorf("%+v, %v", nodes, err)
	}
}
