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
		return fail("timeout", "cannot read "+what+": timed out", "Try again, or use --wait 2m. Check the health of the API server.")
	case known && words.Kind == apierror.Throttled:
		return fail("api-overloaded", "the API server is too busy to read "+what+": "+words.Why, "Try again later, or use --wait 2m.")
	case known:
		return fail("unreadable", "cannot read "+what+": "+words.Why, cmp.Or(words.Remedy, "Try again. If kubectl with the same context fails too, the cluster is the cause."))
	}
	return fail("unreadable", "cannot read "+what+": "+plain(err), "Try again. If kubectl with the same context fails too, the cluster is the cause.")
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
