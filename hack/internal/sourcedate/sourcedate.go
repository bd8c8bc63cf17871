// Package sourcedate is the time that built files bear, so that the same source
// gives the same bytes whenever it is built.
package sourcedate

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

// Get is $SOURCE_DATE_EPOCH, in seconds since 1970, which is also the default.
func Get() (time.Time, error) { return parse(os.Getenv("SOURCE_DATE_EPOCH")) }

func parse(text string) (time.Time, error) {
	if text == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("invalid SOURCE_DATE_EPOCH %q: must be a number of seconds", text)
	}
	return time.Unix(n, 0).UTC(), nil
}
