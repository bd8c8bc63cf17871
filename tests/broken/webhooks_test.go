package broken_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// decide says why an object is refused, or "".
type decide func(kind string, raw []byte) string

// certManager decides as cert-manager's webhook does about a CertificateRequest.
func certManager(kind string, raw []byte) string {
	if kind != "CertificateRequest" {
		return ""
	}
	var o struct {
		Spec struct {
			Request []byte `json:"request"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return err.Error()
	}
	block, _ := pem.Decode(o.Spec.Request)
	if block == nil {
		return "spec.request: Invalid value: failed to decode csr: error decoding certificate request PEM block"
	}
	if _, err := x509.ParseCertificateRequest(block.Bytes); err != nil {
		return "spec.request: Invalid value: failed to decode csr: " + err.Error()
	}
	return ""
}

// kernelModules decides as KMM's webhook does about a Module.
func kernelModules(kind string, raw []byte) string {
	if kind != "Module" {
		return ""
	}
	var o struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     struct {
			ModuleLoader struct {
				Container struct {
					KernelMappings []struct {
						Literal, Regexp, ContainerImage string
					} `json:"kernelMappings"`
				} `json:"container"`
			} `json:"moduleLoader"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return err.Error()
	}
	if n := len(o.Metadata.Name + o.Metadata.Namespace); n > 40 {
		return fmt.Sprintf("module name and namespace have a combined length of %d characters, which exceeds the maximum of 40 characters", n)
	}
	for i, m := range o.Spec.ModuleLoader.Container.KernelMappings {
		switch {
		case m.Literal != "" && m.Regexp != "":
			return fmt.Sprintf("failed to validate kernel mappings: regexp and literal are mutually exclusive properties at kernelMappings[%d]", i)
		case !strings.ContainsAny(m.ContainerImage, ":@"):
			return "failed to validate kernel mappings: container image has neither tag nor digest: " + m.ContainerImage
		}
	}
	return ""
}

func refuseAll(string, []byte) string { return "internal state is not ready" }
func acceptAll(string, []byte) string { return "" }

// admission is a webhook server that decides so.
func admission(by decide) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer := &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if why := by(review.Request.Kind.Kind, review.Request.Object.Raw); why != "" && r.URL.Path != "/mutate" {
			answer.Allowed, answer.Result = false, &metav1.Status{Message: why}
		}
		review.Request, review.Response = nil, answer
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(review); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}

// silent never answers.
func silent(_ http.ResponseWriter, r *http.Request) {
	// Only when all was read does the server see that the other side has gone.
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// failing answers with an error of its own.
func failing(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "panic in the handler", http.StatusInternalServerError)
}
