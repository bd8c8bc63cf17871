package module_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/kubeshark/kubeshark-pfring/internal/moduletest"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func TestListTellsWhatIsThereAndWhyItIsNotTaken(t *testing.T) {
	historic := map[string][]byte{"meta/versions.json": []byte(`["6.6.6", "5.10.1"]`)}
	r := repository(t, nil)
	for name, test := range map[string]struct {
		files  map[string][]byte
		ask    func(*module.Request)
		want   outcome.Reason
		index  bool
		listed []string
	}{
		"good":               {r.Files, nil, "", true, nil},
		"expired":            {r.Files, func(q *module.Request) { q.Now = func() time.Time { return time.Now().AddDate(9, 0, 0) } }, outcome.IndexExpired, true, nil},
		"older serial":       {r.Files, func(q *module.Request) { q.MinSerial = 9 }, outcome.IndexRolledBack, true, nil},
		"another key":        {r.Files, func(q *module.Request) { q.PublicKeys = []string{moduletest.NewRepository(t).PublicKey} }, outcome.SignatureInvalid, true, nil},
		"historic":           {historic, nil, outcome.SourceUnsigned, false, []string{"5.10.1", "6.6.6"}},
		"historic, for none": {historic, func(q *module.Request) { q.Verify = outcome.VerifiedNone }, "", false, []string{"5.10.1", "6.6.6"}},
		"rubbish":            {map[string][]byte{"index.json": []byte("<html>")}, func(q *module.Request) { q.Verify = outcome.VerifiedNone }, outcome.SourceInvalid, false, nil},
		"nothing":            {nil, nil, outcome.SourceInvalid, false, nil},
	} {
		dir := t.TempDir()
		moduletest.WriteFiles(t, dir, test.files)
		source, err := module.OpenSource(module.SourceOptions{URL: "file://" + dir})
		if err != nil {
			t.Fatal(err)
		}
		q := module.Request{PublicKeys: []string{r.PublicKey}}
		if test.ask != nil {
			test.ask(&q)
		}
		l, err := module.List(context.Background(), source, q)
		if reason(err) != test.want || (err == nil) != (test.want == "") {
			t.Errorf("%s: %v", name, err)
		}
		if l == nil {
			if test.index || test.listed != nil {
				t.Errorf("%s: no listing beside %v", name, err)
			}
			continue
		}
		if (l.Index != nil) != test.index || !slices.Equal(l.Releases, test.listed) || (l.Proof == "") != (err != nil) || l.FetchedBytes == 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
