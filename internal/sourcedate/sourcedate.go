// Package sourcedate is the time that built files bear, so that the same source
// gives the same bytes whenever it is built. It imports only the standard library.
package sourcedate

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Epoch is the beginning of 1970.
func Epoch() time.Time { return time.Unix(0, 0).UTC() }

// Get is $SOURCE_DATE_EPOCH, in seconds since 1970; unset where that is not set.
func Get(unset time.Time) (time.Time, error) { return parse(os.Getenv("SOURCE_DATE_EPOCH"), unset) }

func parse(text string, unset time.Time) (time.Time, error) {
	if text == "" {
		return unset, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("invalid SOURCE_DATE_EPOCH %q: must be a number of seconds", text)
	}
	return time.Unix(n, 0).UTC(), nil
}
