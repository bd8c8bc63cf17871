// Package trust is what lets agents trust the supply controller: the keys that
// sign the index and the CA of its certificate, and how one takes the place of
// another while nodes boot.
//
// It decides and makes; it reads and writes nothing.
package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

const (
	// Settle is how long something is published before it is used: kubelets bring
	// a changed ConfigMap into running pods within about a minute and a half.
	Settle = 3 * time.Minute
	// overlap is how long something stays published after its last use.
	overlap = 24 * time.Hour
)

// Anchor is a public key or a CA certificate that agents trust.
type Anchor struct {
	// Text is the minisign key's line or the certificate's PEM; it is not in the
	// record of a bundle.
	Text string `json:"-"`
	// ID tells anchors apart.
	ID string `json:"id"`
	// Since is when it was published, Used when it came into use, and Retired when
	// another was preferred.
	Since   time.Time `json:"since"`
	Used    time.Time `json:"used,omitzero"`
	Retired time.Time `json:"retired,omitzero"`
}

// Bundle are the anchors that are published, oldest first. The last one is the
// one that is wanted; the others are on their way out.
type Bundle []Anchor

// ID is the one of a text.
func ID(text string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(text)))
	return hex.EncodeToString(sum[:8])
}

// Roll brings a bundle up to what is wanted at a time. inUse is the anchor to
// sign with: the wanted one only once everybody has had the time to see it, or
// when there is no other. next is when the answer changes by itself; zero if it
// does not.
func Roll(b Bundle, wanted string, now time.Time) (rolled Bundle, inUse Anchor, next time.Time) {
	id := ID(wanted)
	rolled = b.until(now)
	at := slices.IndexFunc(rolled, func(a Anchor) bool { return a.ID == id })
	switch {
	case at < 0:
		rolled = append(rolled, Anchor{Text: strings.TrimSpace(wanted), ID: id, Since: now})
	case at < len(rolled)-1:
		// Wanted again: it goes last, and begins again unless it is still in use.
		a := rolled[at]
		if !a.Retired.IsZero() {
			a.Since, a.Used, a.Retired = now, time.Time{}, time.Time{}
		}
		rolled = append(slices.Delete(rolled, at, at+1), a)
	}
	last := len(rolled) - 1
	rolled[last].Text = strings.TrimSpace(wanted)
	used := slices.IndexFunc(rolled, func(a Anchor) bool { return !a.Used.IsZero() && a.Retired.IsZero() })
	if settled := rolled[last].Since.Add(Settle); used >= 0 && used != last && now.Before(settled) {
		return rolled, rolled[used], settled
	}
	if used != last {
		rolled[last].Used = now
	}
	for i := range rolled[:last] {
		if rolled[i].Retired.IsZero() {
			rolled[i].Retired = now
		}
	}
	rolled = slices.DeleteFunc(rolled, func(a Anchor) bool { return !a.Retired.IsZero() && !now.Before(a.Retired.Add(overlap)) })
	for _, a := range rolled[:len(rolled)-1] {
		if end := a.Retired.Add(overlap); next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return rolled, rolled[len(rolled)-1], next
}

// until is a copy without times that are still to come. A clock that was set back
// has left them, and nothing waits for it to get there again.
func (b Bundle) until(now time.Time) Bundle {
	out := slices.Clone(b)
	for i := range out {
		for _, at := range []*time.Time{&out[i].Since, &out[i].Used, &out[i].Retired} {
			if at.After(now) {
				*at = now
			}
		}
	}
	return out
}

// Texts joins the anchors, one after the other.
func (b Bundle) Texts() string {
	var out strings.Builder
	for _, a := range b {
		out.WriteString(a.Text + "\n")
	}
	return out.String()
}

// With gives the anchors of a record their texts. Those without one are left
// out: somebody has removed them.
func (b Bundle) With(texts []string) Bundle {
	var out Bundle
	for _, a := range b {
		for _, text := range texts {
			if ID(text) == a.ID {
				a.Text = strings.TrimSpace(text)
				out = append(out, a)
				break
			}
		}
	}
	return out
}
