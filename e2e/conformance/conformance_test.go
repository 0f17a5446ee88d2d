// Package conformance sends requests for every endpoint of Synapse through a real Envoy to stand-ins that serve exactly
// what docs/endpoints.json says of processes like them.
package conformance

import (
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"axon/e2e/endpoints/table"
	"axon/envoy/envoytest"
	"axon/xds/plan"
	"axon/xds/topology"
	"axon/xds/translate"
)

const endpointsFile = "../../docs/endpoints.json"

func TestEveryEndpointReachesAProcessThatServesIt(t *testing.T) {
	known, err := table.Read(endpointsFile)
	if err != nil {
		t.Fatal(err)
	}
	s, sent := newSynapse(known), requests(t, known)
	for name, d := range deployments() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topo := d.start(t, s)
			address := startEnvoy(t, topo)
			j := newJudge(d, topo, s)
			each(t, address, sent, func(r request, status int, header http.Header) { j.check(t, r, status, header) })
			t.Logf("%d requests: %s", len(sent), j.counts())
		})
	}
}

// startEnvoy runs an Envoy for a topology and gives the address for clients, which is an administrator's, too.
func startEnvoy(t *testing.T, topo *topology.Topology) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	p, err := plan.Build(topo, plan.Config{Listeners: []plan.ListenerConfig{{Address: address, SynapseAdmin: []string{"127.0.0.0/8"}}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	static, err := translate.Static(translate.Translate(p))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range static.Clusters { // every process is up; a busy machine shall not make one look dead
		c.HealthChecks, c.OutlierDetection = nil, nil
	}
	envoytest.Start(t, &bootstrapv3.Bootstrap{Node: &corev3.Node{Id: "conformance", Cluster: "conformance"}, StaticResources: static})
	return address
}

// each sends the requests over a few connections, once Envoy listens.
func each(t *testing.T, address string, sent []request, check func(request, int, http.Header)) {
	t.Helper()
	const connections = 8
	var wait sync.WaitGroup
	for worker := range connections {
		c := waitFor(t, address)
		t.Cleanup(func() { c.conn.Close() })
		wait.Go(func() {
			for i := worker; i < len(sent); i += connections {
				status, header, err := c.send(sent[i])
				if err != nil {
					t.Errorf("%s %s: %v", sent[i].method, sent[i].target, err)
					return
				}
				check(sent[i], status, header)
			}
		})
	}
	wait.Wait()
}

func waitFor(t *testing.T, address string) *client {
	t.Helper()
	for range 400 {
		if c, err := dial(address); err == nil {
			return c
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("envoy does not listen")
	return nil
}
