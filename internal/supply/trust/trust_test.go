package trust

import (
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestTheFirstAnchorIsUsedAtOnce(t *testing.T) {
	b, inUse, next := Roll(nil, "A", start)
	if len(b) != 1 || inUse.Text != "A" || !next.IsZero() {
		t.Errorf("%+v %+v %v", b, inUse, next)
	}
}

// A node that boots at any time of a rotation trusts what is in use then, and
// what was in use when its kubelet last brought it the bundle.
func TestWhatIsInUseIsPublishedBeforeAndAfter(t *testing.T) {
	b, _, _ := Roll(nil, "A", start)
	at := start.Add(time.Hour)
	seen := map[time.Duration]Bundle{}
	used := map[time.Duration]string{}
	for d := time.Duration(0); d < 30*time.Hour; d += 30 * time.Second {
		var inUse Anchor
		b, inUse, _ = Roll(b, "B", at.Add(d))
		seen[d], used[d] = b, inUse.Text
	}
	holds := func(b Bundle, text string) bool {
		for _, a := range b {
			if a.Text == text {
				return true
			}
		}
		return false
	}
	for d, text := range used {
		// A bundle that is up to two minutes old, as kubelets have it.
		for late := time.Duration(0); late <= 2*time.Minute; late += 30 * time.Second {
			if old, ok := seen[d-late]; ok && !holds(old, text) {
				t.Fatalf("%s into the rotation %s is in use, and the bundle of %s before lacks it", d, text, late)
			}
		}
	}
	if used[0] != "A" || used[Settle] != "B" || len(seen[29*time.Hour]) != 1 {
		t.Errorf("%s, %s, %d left", used[0], used[Settle], len(seen[29*time.Hour]))
	}
}

func TestARotationOfARotationKeepsWhatIsInUse(t *testing.T) {
	b, _, _ := Roll(nil, "A", start)
	b, _, _ = Roll(b, "B", start.Add(time.Minute))
	b, inUse, _ := Roll(b, "C", start.Add(2*time.Minute))
	if len(b) != 3 || inUse.Text != "A" {
		t.Errorf("%+v in use %s", b, inUse.Text)
	}
	b, inUse, _ = Roll(b, "C", start.Add(2*time.Minute+Settle))
	if inUse.Text != "C" {
		t.Errorf("in use %s of %+v", inUse.Text, b)
	}
	// Back to the first one: it begins again.
	b, inUse, _ = Roll(b, "A", start.Add(time.Hour))
	if inUse.Text != "C" {
		t.Errorf("in use %s of %+v", inUse.Text, b)
	}
	if _, inUse, _ = Roll(b, "A", start.Add(time.Hour+Settle)); inUse.Text != "A" {
		t.Errorf("in use %s", inUse.Text)
	}
}

func TestAChangeOfMindBeforeTheSettleKeepsTheOld(t *testing.T) {
	b, _, _ := Roll(nil, "A", start)
	b, _, _ = Roll(b, "B", start.Add(time.Minute))
	_, inUse, _ := Roll(b, "A", start.Add(90*time.Second))
	if inUse.Text != "A" {
		t.Errorf("in use %s", inUse.Text)
	}
}

func TestABundleIsReadBackFromItsRecord(t *testing.T) {
	b, _, _ := Roll(nil, "A", start)
	b, _, _ = Roll(b, "B", start)
	if got := b.With([]string{"B", "foreign", "A"}); len(got) != 2 || got[0].Text != "A" || got.Texts() != "A\nB\n" {
		t.Errorf("%+v", got)
	}
	if got := b.With([]string{"B"}); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestCertificatesAreRenewedAfterTwoThirdsAndTrusted(t *testing.T) {
	ca, err := NewCA("test", start)
	if err != nil {
		t.Fatal(err)
	}
	const name = "r-pfring-supply.kubeshark.svc"
	pair, err := ca.Issue([]string{name, "localhost"}, start)
	if err != nil {
		t.Fatal(err)
	}
	if !pair.Usable(ca.Cert, name, start) || pair.Usable(ca.Cert, "other", start) || pair.Usable(ca.Cert, name, start.Add(servingLife+time.Hour)) {
		t.Error("usable when it is not, or the other way round")
	}
	other, err := NewCA("other", start)
	if err != nil {
		t.Fatal(err)
	}
	if pair.Usable(other.Cert, name, start) || !pair.Usable(append(other.Cert, ca.Cert...), name, start) {
		t.Error("a bundle of two authorities")
	}
	if due, at := pair.Due(start.Add(59 * 24 * time.Hour)); due || at.Before(start.Add(59*24*time.Hour)) {
		t.Errorf("due at %v", at)
	}
	if due, _ := pair.Due(start.Add(61 * 24 * time.Hour)); !due {
		t.Error("not due after two thirds")
	}
	if due, _ := (Pair{}).Due(start); !due {
		t.Error("nothing is not due")
	}
	if cert, err := pair.TLS(); err != nil || len(cert.Certificate) != 1 {
		t.Errorf("%v", err)
	}
	if got := Certificates(append(ca.Cert, other.Cert...)); len(got) != 2 {
		t.Errorf("%d certificates", len(got))
	}
}

func TestALongNameStillMakesACertificate(t *testing.T) {
	ca, err := NewCA("test", start)
	if err != nil {
		t.Fatal(err)
	}
	name := "pfring-supply-0123456789ab.a-namespace-whose-name-has-sixty-three-characters-in-all-just.svc"
	if pair, err := ca.Issue([]string{name}, start); err != nil || !pair.Usable(ca.Cert, name, start) {
		t.Error(err)
	}
}

func TestKeysAreMadeAndRead(t *testing.T) {
	text, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseKey(text); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "hello", "untrusted comment: minisign public key\nRWQ", "untrusted comment: minisign encrypted secret key\nRWRTY0Iy"} {
		if _, err := ParseKey([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	f.Add([]byte("untrusted comment: x\nAAAA\n"))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := ParseKey(text); err == nil && key.ID() == 0 && len(text) == 0 {
			t.Errorf("%q is a key", text)
		}
	})
}

func FuzzCertificates(f *testing.F) {
	ca, err := NewCA("test", start)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ca.Cert)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		Certificates(text)
		(Pair{Cert: text, Key: text}).Due(start)
	})
}

// A clock that was years ahead and is set back leaves certificates that are not valid
// yet, and times to come: nothing waits for them.
func TestAClockThatWasSetBackIsNotWaitedFor(t *testing.T) {
	now := time.Now()
	ahead := now.AddDate(2, 0, 0)
	ca, err := NewCA("ca", ahead)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue([]string{"host"}, ahead)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Pair{"CA": ca, "certificate": pair} {
		if due, _ := p.Due(ahead); due {
			t.Errorf("the %s is renewed as soon as it is made", name)
		}
		if due, _ := p.Due(now.Add(skew)); !due {
			t.Errorf("the %s stays, and is not valid for two years", name)
		}
	}
	b, _, _ := Roll(nil, "old", ahead)
	b, inUse, next := Roll(b, "new", ahead)
	if inUse.ID != ID("old") || !next.Equal(ahead.Add(Settle)) {
		t.Fatalf("%+v until %s", inUse, next)
	}
	if b, _, next = Roll(b, "new", now); !next.Equal(now.Add(Settle)) {
		t.Errorf("the new one is used after %s", next.Sub(now))
	}
	if b, inUse, _ = Roll(b, "new", now.Add(Settle)); inUse.ID != ID("new") {
		t.Errorf("%+v", inUse)
	}
	if b, _, _ = Roll(b, "new", now.Add(Settle+overlap)); len(b) != 1 {
		t.Errorf("%+v", b)
	}
}
