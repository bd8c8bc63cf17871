// Command services is what a node of the tests has instead of kube-proxy and
// cluster DNS: it forwards the API server's cluster address, and answers for
// NAME.NAMESPACE.svc with the address of a ready pod of that Service on this
// node. Pods of other nodes cannot be reached here.
//
// It asks the API server with the node's own certificate.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: services NODE API-SERVER CLUSTER-ADDRESS DNS-ADDRESS")
	}
	node, server, cluster, dns := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	a, err := newAPI(node, server)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	var listening net.ListenConfig
	l, err := listening.Listen(ctx, "tcp", cluster)
	if err != nil {
		log.Fatal(err)
	}
	packets, err := listening.ListenPacket(ctx, "udp", dns)
	if err != nil {
		log.Fatal(err)
	}
	go forward(ctx, l, server)
	fmt.Println("ready")
	a.answer(ctx, packets)
}

// forward copies bytes both ways for each connection.
func forward(ctx context.Context, l net.Listener, to string) {
	for {
		here, err := l.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer func() { _ = here.Close() }()
			var dialer net.Dialer
			there, err := dialer.DialContext(ctx, "tcp", to)
			if err != nil {
				log.Print(err)
				return
			}
			defer func() { _ = there.Close() }()
			go func() {
				_, _ = io.Copy(there, here)
				_ = there.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(here, there)
		}()
	}
}

// api is the API server as the node sees it.
type api struct {
	node, address string
	client        *http.Client
}

func newAPI(node, address string) (*api, error) {
	const dir = "/etc/kubernetes/"
	pair, err := tls.LoadX509KeyPair(dir+"kubelet.crt", dir+"kubelet.key")
	if err != nil {
		return nil, err
	}
	ca, err := os.ReadFile(dir + "ca.crt")
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	trust := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "localhost", MinVersion: tls.VersionTLS12}
	return &api{node: node, address: address, client: &http.Client{Transport: &http.Transport{TLSClientConfig: trust}, Timeout: 10 * time.Second}}, nil
}

func (a *api) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+a.address+path, http.NoBody)
	if err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// resolve returns the address of a ready pod of a Service on this node, or nil.
func (a *api) resolve(ctx context.Context, name, namespace string) (net.IP, error) {
	var service struct {
		Spec struct{ Selector map[string]string }
	}
	if err := a.get(ctx, "/api/v1/namespaces/"+url.PathEscape(namespace)+"/services/"+url.PathEscape(name), &service); err != nil {
		return nil, err
	}
	var pods struct {
		Items []struct {
			Metadata struct {
				Namespace         string
				Labels            map[string]string
				DeletionTimestamp string
			}
			Status struct {
				PodIP      string
				Conditions []struct{ Type, Status string }
			}
		}
	}
	if err := a.get(ctx, "/api/v1/pods?fieldSelector=spec.nodeName="+url.QueryEscape(a.node), &pods); err != nil {
		return nil, err
	}
	for _, pod := range pods.Items {
		chosen := pod.Metadata.Namespace == namespace && pod.Metadata.DeletionTimestamp == "" && len(service.Spec.Selector) > 0
		for key, value := range service.Spec.Selector {
			chosen = chosen && pod.Metadata.Labels[key] == value
		}
		for _, c := range pod.Status.Conditions {
			if chosen && c.Type == "Ready" && c.Status == "True" {
				return net.ParseIP(pod.Status.PodIP).To4(), nil
			}
		}
	}
	return nil, nil
}

// answer answers questions for the addresses of Services, and says of all other
// names that there are none.
func (a *api) answer(ctx context.Context, packets net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := packets.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		var m dnsmessage.Message
		if err := m.Unpack(buffer[:n]); err != nil || len(m.Questions) != 1 {
			continue
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		q := m.Questions[0]
		labels := strings.Split(strings.TrimSuffix(q.Name.String(), "."), ".")
		m.RCode = dnsmessage.RCodeNameError
		if len(labels) == 3 && labels[2] == "svc" || len(labels) == 5 && labels[2] == "svc" && labels[3] == "cluster" && labels[4] == "local" {
			ip, err := a.resolve(ctx, labels[0], labels[1])
			if err != nil {
				log.Print(err)
			}
			if ip != nil {
				m.RCode = dnsmessage.RCodeSuccess
			}
			if ip != nil && q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: [4]byte(ip)},
				}}
			}
		}
		if data, err := m.Pack(); err == nil {
			_, _ = packets.WriteTo(data, from)
		}
	}
}
