package module

import "github.com/kubeshark/kubeshark-pfring/module/internal/fault"

// Error is why a module is unavailable or not the wanted one. Find it with
// errors.As; its Reason goes into the outcome.
type Error = fault.Error

// ErrNotFound is in the chain of an error of Source.Fetch when nothing is at
// the path.
var ErrNotFound = fault.ErrNotFound
