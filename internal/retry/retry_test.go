package retry

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAfterReadsSecondsAndDates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-3": 0, "99999999": time.Hour, "soon": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		got, ok := After(http.Header{"Retry-After": {value}}, now)
		if got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
		if asks := value != "" && value != "-3" && value != "soon"; ok != asks {
			t.Errorf("%q: asks to wait: %t", value, ok)
		}
	}
}

// A node whose clock is a year off waits as long as the server means.
func TestADateToRetryAfterIsOfTheServersClock(t *testing.T) {
	date := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h := http.Header{"Date": {date.Format(http.TimeFormat)}, "Retry-After": {date.Add(7 * time.Second).Format(http.TimeFormat)}}
	for _, off := range []time.Duration{0, -365 * 24 * time.Hour, 365 * 24 * time.Hour} {
		if got, _ := After(h, date.Add(off)); got != 7*time.Second {
			t.Errorf("a clock that is off by %s: %s", off, got)
		}
	}
}

func TestABodyIsSentAgainFromItsBeginning(t *testing.T) {
	for name, test := range map[string]struct {
		body io.Reader
		ok   bool
	}{"none": {http.NoBody, true}, "text": {strings.NewReader("body"), true}, "a stream": {io.LimitReader(strings.NewReader("body"), 4), false}} {
		first, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost", test.body)
		if err != nil {
			t.Fatal(err)
		}
		want, err := io.ReadAll(first.Body)
		if err != nil {
			t.Fatal(err)
		}
		again, ok := Rewind(first)
		if ok != test.ok {
			t.Errorf("%s: can be sent again: %t", name, ok)
		}
		if !ok {
			continue
		}
		if got, err := io.ReadAll(again.Body); err != nil || string(got) != string(want) {
			t.Errorf("%s: %q the second time (%v)", name, got, err)
		}
	}
}

// Whatever a server asks for, it is a time from now to an hour.
func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "1", "-1", "3601", "-9223372036854775807", "-4611686018427387905", "99999999999999999999", "1e9", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"} {
		f.Add(value)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if d, _ := After(http.Header{"Retry-After": {value}}, now); d < 0 || d > time.Hour {
			t.Errorf("%q is %s", value, d)
		}
	})
}
