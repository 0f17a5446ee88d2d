//go:build linux

package bench

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"axon/bench/load"
)

// A measurement is made in turns, each so short that whatever else the machine does hits all listeners alike, and so many that
// the median of what they give is known to half a hundredth.
const (
	turns       = 200
	perTurn     = 500
	connections = 16
)

// kinds are typical requests, and some that nobody wants. Each is a listener, too, whose one route is the tree's for it.
var kinds = map[string]struct {
	route   string // that takes it
	request []byte
}{
	"sync":             {"sync", get("/_matrix/client/v3/sync?filter=0&timeout=30000&since=s72594_4483_1934_12_5_3")},
	"sliding_sync":     {"sliding_sync", with("POST", "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync?pos=5%2Fs72594_4483&timeout=30000", `{"lists":{}}`)},
	"send":             {"send", with("PUT", "/_matrix/client/v3/rooms/!ekFMYtWIHbGxFDtLBq%3Aexample.org/send/m.room.message/m1763714893.1", `{"msgtype":"m.text","body":"hello"}`)},
	"messages":         {"room_reads", get("/_matrix/client/v3/rooms/!ekFMYtWIHbGxFDtLBq:example.org/messages?from=t47409-4357353_219380&dir=b&limit=30")},
	"receipt":          {"receipts", with("POST", "/_matrix/client/v3/rooms/!ekFMYtWIHbGxFDtLBq:example.org/receipt/m.read/%24eventidOfFortyThreeCharactersInBase64urlxx", `{}`)},
	"versions":         {"client_reads", get("/_matrix/client/versions")},
	"profile":          {"client_reads", get("/_matrix/client/v3/profile/%40alice%3Aexample.org")},
	"keys_query":       {"client_posts", with("POST", "/_matrix/client/v3/keys/query", `{"device_keys":{}}`)},
	"thumbnail":        {"media", get("/_matrix/client/v1/media/thumbnail/example.org/SFKcQwZRiKkVXOKCJsiuDqLU?width=96&height=96&method=crop")},
	"federation_send":  {"federation_send", with("PUT", "/_matrix/federation/v1/send/1763714893412", `{"pdus":[]}`)},
	"federation_event": {"federation_reads", get("/_matrix/federation/v1/event/%24eventidOfFortyThreeCharactersInBase64urlxx")},
	"unknown":          {"main", get("/_matrix/client/v3/no_such_thing")},
	"unknown_of_room":  {"main", get("/_matrix/client/v3/rooms/!ekFMYtWIHbGxFDtLBq:example.org/no/such/thing")},
	"outside":          {"not_found", get("/wp-login.php")},
}

func get(target string) []byte { return with("GET", target, "") }

// with is a request with the headers that a client on a telephone sends.
func with(method, target, body string) []byte {
	return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: matrix.example.org\r\nUser-Agent: Element X Android/25.11.0 (Pixel 8; Android 16; Sdk 36)\r\n"+
		"Accept: application/json\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer syt_YWxpY2U_AbCdEfGhIjKlMnOpQrSt_1a2b3c\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", method, target, len(body), body)
}

// BenchmarkRoutes compares what a request costs Envoy, in time of the processor, under Axon's whole route tree with what it
// costs where one route takes everything: the same route otherwise, and a bare one, that only forwards. All are listeners of one
// Envoy and asked by turns. A ratio of 1.03 means 3 % more. The control has the same route again: how far its ratio is from 1
// says what the others are worth.
func BenchmarkRoutes(b *testing.B) {
	f := startFront(b)
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f.compare(b, name)
			}
		})
	}
}

func (f *front) compare(b *testing.B, kind string) {
	b.Helper()
	var tree, control, bare, single []float64
	for turn := range turns {
		cost := f.turn(b, turn, kind)
		single = append(single, cost[kind])
		tree = append(tree, cost[treeListener]/cost[kind])
		control = append(control, cost[again(kind)]/cost[kind])
		bare = append(bare, cost[treeListener]/cost[bareListener])
	}
	for _, all := range [][]float64{tree, control, bare, single} {
		slices.Sort(all)
	}
	b.ReportMetric(tree[turns/2], "tree")
	b.ReportMetric(tree[turns/4], "quarter")
	b.ReportMetric(tree[3*turns/4], "three-quarters")
	b.ReportMetric(control[turns/2], "control")
	b.ReportMetric(bare[turns/2], "bare")
	b.ReportMetric(single[turns/2], "µs/request")
	b.ReportMetric(0, "ns/op")
}

// turn gives the cost of a request on each listener. None of them always comes first, or after the same one.
func (f *front) turn(b *testing.B, turn int, kind string) map[string]float64 {
	b.Helper()
	cost := map[string]float64{}
	listeners := []string{treeListener, kind, again(kind), bareListener}
	if turn%2 == 1 {
		slices.Reverse(listeners)
	}
	for n := range listeners {
		listener := listeners[(turn/2+n)%len(listeners)]
		cost[listener] = f.cost(b, listener, kind)
	}
	return cost
}

// cost is the processor's time that a request takes of Envoy, in microseconds.
func (f *front) cost(b *testing.B, listener, kind string) float64 {
	b.Helper()
	request := kinds[kind].request
	before := f.cpu(b)
	answers, err := load.Send(f.addresses[listener], connections, perTurn, func(int) []byte { return request })
	if err != nil {
		b.Fatal(err)
	}
	spent := f.cpu(b) - before
	for _, a := range answers {
		if a.Status != 200 && (a.Status != 404 || kinds[kind].route != "not_found") {
			b.Fatalf("%s on listener %s: %d", kind, listener, a.Status)
		}
	}
	return float64(spent) / perTurn / float64(time.Microsecond)
}
