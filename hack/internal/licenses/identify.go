package licenses

import (
	"regexp"
	"strings"
)

// marks are sentences that only one licence has.
var marks = []struct {
	id   string
	mark *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`apache license,? version 2\.0`)},
	{"MIT", regexp.MustCompile(`permission is hereby granted, free of charge, to any person obtaining a copy`)},
	{"ISC", regexp.MustCompile(`permission to use, copy, modify, and(/or)? distribute this software for any purpose with or without fee is hereby granted`)},
	{"MPL-2.0", regexp.MustCompile(`mozilla public license,? version 2\.0 [=1]`)},
	{"BSD-3-Clause", regexp.MustCompile(`redistributions? in binary form.*(neither the name|names? of .{1,80} may not be used|my name, .{1,40}, may not be used)`)},
	{"BSD-2-Clause", regexp.MustCompile(`redistributions? in binary form`)},
}

var space = regexp.MustCompile(`[\s*#]+`)

// identify names the licences whose text this is.
func identify(text string) []string {
	text = space.ReplaceAllString(strings.ToLower(text), " ")
	var out []string
	for _, m := range marks {
		if m.id == "BSD-2-Clause" && len(out) > 0 && out[len(out)-1] == "BSD-3-Clause" {
			continue
		}
		if m.mark.MatchString(text) {
			out = append(out, m.id)
		}
	}
	return out
}
