package prereq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kubeshark/kubeshark-pfring/compatibility"
	"github.com/kubeshark/kubeshark-pfring/module"
	"github.com/kubeshark/kubeshark-pfring/outcome"
)

func autoChecks() []Check {
	return nil
}

var _ = context.Background
var _ = errors.New
var _ = fmt.Sprint
var _ = strings.Cut
var _ = time.Now
var _ = compatibility.Match
var _ = module.Format
var _ = outcome.Parse
