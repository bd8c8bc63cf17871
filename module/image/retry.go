package image

import (
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// transient tells whether a failed request may succeed next time: what has to do
// with the connection, but not with names or certificates.
func transient(err error) bool {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return dns.IsTemporary || dns.IsTimeout
	}
	var timeout net.Error
	return errors.Is(err, errStalled) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		(errors.As(err, &timeout) && timeout.Timeout())
}

// uploads begin again after what the transport could not try again by itself. Its
// own patience ends that; the library's pauses do not listen to a context, so
// they are short.
var uploads = []remote.Option{
	remote.WithRetryBackoff(remote.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 1000}),
	remote.WithRetryPredicate(restartsUpload),
	remote.WithRetryStatusCodes(),
}

// restartsUpload tells whether an upload is begun again: when a part of it failed.
func restartsUpload(err error) bool {
	var part errAgain
	return errors.As(err, &part)
}

// uploadUnknown tells whether a registry does not know an upload that it began: its end
// may have arrived while the answer to it did not.
func uploadUnknown(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) || (answer.StatusCode != http.StatusNotFound && answer.StatusCode != http.StatusRequestedRangeNotSatisfiable) {
		return false
	}
	for _, d := range answer.Errors {
		if d.Code == transport.BlobUploadUnknownErrorCode || d.Code == transport.BlobUploadInvalidErrorCode {
			return true
		}
	}
	return answer.StatusCode == http.StatusRequestedRangeNotSatisfiable
}
