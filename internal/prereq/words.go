package prereq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kubeshark/kubeshark-pfring/internal/apierror"
)

// shown is how many nodes or objects of one kind a finding names.
const shown = 10

// unread is the finding for something that the API did not hand out.
func unread(what string, err error) Finding {
	words, known := apierror.Describe(err, apierror.Caller{Command: "prereq check"})
	switch {
	case known && words.Kind == apierror.Forbidden:
		return fail("forbidden", "no right to read "+what+": "+words.Why, words.Remedy)
	case known && words.Kind == apierror.Timeout, errors.Is(err, context.DeadlineExceeded):
		return fail("timeout", "reading "+what+" took too long", "Try again, or with --wait 2m; see that the API server is well.")
	case known && words.Kind == apierror.Throttled:
		return fail("api-overloaded", "the API server has no time for reading "+what+": "+words.Why, "Try again later, or with --wait 2m.")
	case known:
		return fail("unreadable", "reading "+what+": "+words.Why, cmp.Or(words.Remedy, "Try again; kubectl with the same context shows whether it is the cluster."))
	}
	return fail("unreadable", "reading "+what+": "+plain(err), "Try again; kubectl with the same context shows whether it is the cluster.")
}

// plain is an error's text on one line, not too long.
func plain(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if r := []rune(text); len(r) > 400 {
		text = string(r[:400]) + "…"
	}
	return text
}

// some shortens a list to what a person reads.
func some(list []string) []string {
	if len(list) <= shown {
		return list
	}
	return append(append(make([]string, 0, shown+1), list[:shown]...), fmt.Sprintf("and %d more", len(list)-shown))
}

// verb is "is" or "are".
func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
