package prereq

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// shown is how many nodes or objects of one kind a finding names.
const shown = 10

// unread is the finding for something that the API did not hand out.
func unread(what string, err error) Finding {
	switch {
	case apierrors.IsForbidden(err):
		return fail("forbidden", "no right to read "+what+": "+plain(err), "Ask for the ClusterRole pfring-prereq (deploy/rbac), or have somebody run this who has it.")
	case errors.Is(err, context.DeadlineExceeded):
		return fail("timeout", "reading "+what+" took too long: "+plain(err), "Try again, or with --wait 2m; see that the API server is well.")
	case apierrors.IsTooManyRequests(err):
		return fail("api-overloaded", "the API server has no time for reading "+what+": "+plain(err), "Try again later, or with --wait 2m.")
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
