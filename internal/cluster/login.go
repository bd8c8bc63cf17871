package cluster

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/kubeshark/kubeshark-pfring/internal/readfile"
)

// login is what a kubeconfig logs in with, as far as its end can be read from it.
type login struct {
	what string
	// end is zero where it has none, or is not known.
	end time.Time
}

// maxLogin bounds a file of credentials, in bytes.
const maxLogin = 1 << 20

// loginOf reads the end of a client certificate, or of a token that shows it. The API
// server says no more than that it does not accept the login.
func loginOf(config *rest.Config) login {
	content := func(data []byte, file string) []byte {
		if len(data) == 0 && file != "" {
			// Whoever uses the file says what is wrong with it.
			data, _ = readfile.Regular(file, maxLogin)
		}
		return data
	}
	if config.ExecProvider != nil || config.AuthProvider != nil {
		return login{}
	}
	if token := content([]byte(config.BearerToken), config.BearerTokenFile); len(token) > 0 {
		return login{"token", tokenEnd(strings.TrimSpace(string(token)))}
	}
	block, _ := pem.Decode(content(config.CertData, config.CertFile))
	if block == nil {
		return login{}
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return login{}
	}
	return login{"client certificate", cert.NotAfter}
}

// tokenEnd is when a token in JSON says that it ends.
func tokenEnd(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		End float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(data, &claims) != nil || claims.End <= 0 || claims.End > math.MaxInt32*100 {
		return time.Time{}
	}
	return time.Unix(int64(claims.End), 0)
}
