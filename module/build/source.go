package build

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/kubeshark/kubeshark-pfring/internal/lazyregexp"
)

// Source is the PF_RING source to compile.
type Source struct {
	// Version is PF_RING's, which the module then says of itself; "" if it is
	// not known before.
	Version string
	// URL is an archive with the source's kernel/ folder, at its top or below
	// one other folder.
	URL string
	// SHA256 is the archive's. If it is "", Tree is what is checked.
	SHA256 string
	// Tree is the sum over kernel/: the sha256, in hex, of what
	//
	//	find kernel -type f | LC_ALL=C sort | xargs sha256sum
	//
	// prints. Only that folder is compiled. Unlike an archive's, it is the same
	// for each way of packing: GitHub makes its archives on request and does not
	// promise their bytes, and a mirror may pack the source again.
	Tree string
}

// DefaultVersion is the newest pinned one.
const DefaultVersion = "8.9.0"

// pins are versions of PF_RING by the commit that they are taken from, which a
// tag could be moved off. No tag has the name 8.9.0: it is what the source calls
// itself between 8.8.0 and the next release, here at its last known commit.
var pins = []struct{ version, commit, tree string }{
	{"8.9.0", "dc0ae0d684b3ce0ed34d3412b5091ec1247c8c90", "4cb4a5ba050f9557194a1d019be6ea9b8ad62c06bde7cde2cfecd6d16988d8dc"},
	{"8.8.0", "67804770402ae7a9c6675814501ef86d1cef71c1", "cece75322df0a56a523fe867b037790466656df77fbf11c2a022338313f0b55e"},
}

// Versions are those whose content is known, newest first.
func Versions() []string {
	list := make([]string, len(pins))
	for i, p := range pins {
		list[i] = p.version
	}
	return list
}

var hexSum = lazyregexp.New(`^[0-9a-f]{64}$`)

var goodVersion = lazyregexp.New(`^[0-9A-Za-z][0-9A-Za-z.+~_-]*$`)

// unfit tells which characters mean something else in a Dockerfile's ARG.
func unfit(r rune) bool {
	return unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune("$\\\"'`", r)
}

// NewSource is the source of a version ("" is the default), from its usual place
// or from address. A version that is not pinned, or another archive under a
// pinned one's name, takes the archive's sha256.
func NewSource(version, address, sha256 string) (Source, error) {
	s := Source{Version: cmp.Or(version, DefaultVersion), URL: address, SHA256: strings.ToLower(sha256)}
	if !goodVersion().MatchString(s.Version) {
		return s, fmt.Errorf("invalid PF_RING version %q: must have only letters, digits and . + ~ _ -", s.Version)
	}
	if s.SHA256 != "" && !hexSum().MatchString(s.SHA256) {
		return s, fmt.Errorf("invalid sha256 %q: must have 64 hexadecimal digits", sha256)
	}
	if address != "" {
		if u, err := url.Parse(address); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return s, fmt.Errorf("invalid source URL %q: must begin with http:// or https://", address)
		} else if strings.ContainsFunc(address, unfit) {
			return s, fmt.Errorf("invalid source URL %q: must have no spaces, quotes, $ or \\; write them as %%20, %%22, %%24 and %%5C", address)
		} else if u.User != nil {
			return s, fmt.Errorf("the source URL must not contain a password, since everybody who can read Jobs would see it")
		}
	}
	i := slices.Index(Versions(), s.Version)
	switch {
	case i < 0 && (s.URL == "" || s.SHA256 == ""):
		return s, fmt.Errorf("unknown PF_RING version %s: must be one of those whose content is known (%s), or set the URL and the sha256 of its archive",
			s.Version, strings.Join(Versions(), ", "))
	case i < 0:
		return s, nil
	case s.URL == "" && s.SHA256 != "":
		return s, fmt.Errorf("the archive of PF_RING %s at its usual place is verified by content, since its bytes may change: leave out the sha256", s.Version)
	case s.URL == "":
		s.URL = "https://github.com/ntop/PF_RING/archive/" + pins[i].commit + ".tar.gz"
	}
	if s.SHA256 == "" {
		s.Tree = pins[i].tree
	}
	return s, nil
}
