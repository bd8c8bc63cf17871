package kubeshark

import "testing"

func TestVersions(t *testing.T) {
	for _, test := range []struct {
		texts                    []string
		says                     string
		flag, loads, shell, none bool
	}{
		{texts: []string{"v52.0.0"}, says: "version 52.0.0", loads: true},
		{texts: []string{"v52.1.0"}, says: "version 52.1.0", flag: true, loads: true},
		{texts: []string{"v52.3.88-debug"}, says: "version 52.3.88", flag: true, loads: true, shell: true},
		{texts: []string{"v52.3.89"}, says: "version 52.3.89", shell: true},
		{texts: []string{"v52.4"}, says: "version 52.4", shell: true},
		{texts: []string{"v52.2"}, says: "version 52.2", flag: true, loads: true},
		// Which 52.3 it is cannot be determined.
		{texts: []string{"v52.3"}, says: "version 52.3"},
		{texts: []string{"v52.3", "52.3.96"}, says: "version 52.3.96", shell: true},
		// The tag goes before the chart, unless it leaves the patch open.
		{texts: []string{"v53.3", "52.3.96"}, says: "version 53.3", shell: true},
		{texts: []string{"latest", "", "kubeshark-52.3.88"}, says: "version 52.3.88", flag: true, loads: true, shell: true},
		{texts: []string{"v53.3.0", "52.3.88"}, says: "version 53.3.0", shell: true},
		{texts: []string{"v54.0.0-rc.1+build"}, says: "version 54.0.0", shell: true},
		{texts: []string{"latest", "stable", "53"}, says: "version unknown", none: true},
		{texts: []string{"99999.1.1"}, says: "version unknown", none: true},
	} {
		v := Best(test.texts...)
		if v.String() != test.says || v.TakesFlag() != test.flag || v.MayLoad() != test.loads || v.HasShell() != test.shell || v.Known() == test.none {
			t.Errorf("%q: %s, flag %v, loads %v, shell %v", test.texts, v, v.TakesFlag(), v.MayLoad(), v.HasShell())
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"v52.4", "kubeshark-53.3.0", "v52.3.88-debug", "52.4-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, ok := Parse(s)
		if ok && v.TakesFlag() && !v.MayLoad() {
			t.Errorf("%q takes the flag of a loader that it has not", s)
		}
	})
}
