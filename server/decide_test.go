package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/structpb"

	"axon/server/identity"
	"axon/xds/plan"
)

// verdict is a decision as a client of either protocol sees it.
type verdict struct {
	Set     map[string]string // names and values, of the request or, where it is refused, of the answer
	Removed []string          // sorted
	Status  int               // 0: the request goes on
	Body    string
}

// protocols are the ways to ask for a decision.
var protocols = map[string]func(*testing.T, *grpc.ClientConn, *authv3.CheckRequest) verdict{
	"ext_authz": askCheck,
	"ext_proc":  askProcess,
}

func askCheck(t *testing.T, conn *grpc.ClientConn, r *authv3.CheckRequest) verdict {
	t.Helper()
	got, err := authv3.NewAuthorizationClient(conn).Check(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if d := got.GetDeniedResponse(); d != nil {
		if got.Status.Code == 0 {
			t.Error("denied with the code of success")
		}
		return verdict{Set: values(t, d.Headers, (*corev3.HeaderValue).GetValue), Status: int(d.Status.Code), Body: d.Body}
	}
	ok := got.GetOkResponse()
	return verdict{Set: values(t, ok.Headers, (*corev3.HeaderValue).GetValue), Removed: sorted(ok.HeadersToRemove)}
}

// askProcess sends what Envoy does of the same request: pseudo headers among the others, values raw, the peer's address as an
// attribute.
func askProcess(t *testing.T, conn *grpc.ClientConn, r *authv3.CheckRequest) verdict {
	t.Helper()
	http := r.GetAttributes().GetRequest().GetHttp()
	headers := &corev3.HeaderMap{}
	add := func(name, value string) {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	add(":method", http.GetMethod())
	add(":path", http.GetPath())
	for name, value := range http.GetHeaders() {
		add(name, value)
	}
	source := r.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := exchangeOne(t, stream, &extprocv3.ProcessingRequest{
		Request: &extprocv3.ProcessingRequest_RequestHeaders{RequestHeaders: &extprocv3.HttpHeaders{Headers: headers}},
		Attributes: map[string]*structpb.Struct{"envoy.filters.http.ext_proc": {Fields: map[string]*structpb.Value{
			"source.address": structpb.NewStringValue(source + ":1234"),
		}}},
	})
	if i := got.GetImmediateResponse(); i != nil {
		return verdict{Set: values(t, i.Headers.SetHeaders, raw), Status: int(i.Status.Code), Body: string(i.Body)}
	}
	mutation := got.GetRequestHeaders().GetResponse().GetHeaderMutation()
	return verdict{Set: values(t, mutation.GetSetHeaders(), raw), Removed: sorted(mutation.GetRemoveHeaders())}
}

func exchangeOne(t *testing.T, stream extprocv3.ExternalProcessor_ProcessClient, r *extprocv3.ProcessingRequest) *extprocv3.ProcessingResponse {
	t.Helper()
	if err := stream.Send(r); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func raw(h *corev3.HeaderValue) string { return string(h.RawValue) }

func values(t *testing.T, options []*corev3.HeaderValueOption, value func(*corev3.HeaderValue) string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, o := range options {
		all[o.Header.Key] = value(o.Header)
		if o.AppendAction != corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD || value(o.Header) == "" {
			t.Errorf("header %v", o)
		}
	}
	return all
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

// dialAuthz connects to an Authz that knows one bridge; log may be nil.
func dialAuthz(t *testing.T, r resolver, policy identity.Policy, log *bytes.Buffer) *grpc.ClientConn {
	t.Helper()
	conn, _ := dialCounted(t, r, policy, log)
	return conn
}

func dialCounted(t *testing.T, r resolver, policy identity.Policy, log *bytes.Buffer) (*grpc.ClientConn, *Authz) {
	t.Helper()
	o := Options{Resolver: r, Policy: policy, NeedsUser: plan.NeedsUser, Registerer: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler)}
	if log != nil {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	authz := NewAuthz(o)
	authz.SetAppservices(Appservices{
		sha256.Sum256([]byte("as-secret")): {ID: "telegram", Group: "bridges"}, sha256.Sum256([]byte("lone-secret")): {ID: "irc"},
	})
	return dial(t, NewAuthzServer(authz, NewHealth())), authz
}

func TestDecisions(t *testing.T) {
	bearer := func(path, token string) *authv3.CheckRequest {
		return checkRequest(path, "198.51.100.1", "authorization", "Bearer "+token)
	}
	const syncs, versions = "/_matrix/client/v3/sync", "/_matrix/client/versions"
	fails := func(err error) resolver {
		return func(context.Context, identity.Request) (identity.Identity, error) {
			return identity.Identity{}, fmt.Errorf("whoami: %w", err)
		}
	}
	gives := func(id identity.Identity) resolver {
		return func(context.Context, identity.Request) (identity.Identity, error) { return id, nil }
	}
	panics := func(context.Context, identity.Request) (identity.Identity, error) { panic("odd") }
	alice := gives(identity.Identity{UserID: "@alice:example.org", DeviceID: "ABC"})
	usual := identity.DefaultPolicy()
	enforce, open := usual, usual
	enforce.Enforce, open.Enforce, open.FailOpen = true, true, true
	chatty := identity.Policy{Headers: identity.Headers{User: "x-user", Localpart: true, Device: "x-device", Guest: "x-guest", Appservice: "x-bridge"}}

	users := map[string]string{"x-user-identifier": "@alice:example.org", "x-axon-affinity": "YWxpY2U"}
	nothing := map[string]string{}
	denied := func(status int, errcode string, more string) verdict {
		return verdict{Status: status, Body: fmt.Sprintf(`{"errcode":%q,%s`, errcode, more)}
	}
	unknown := denied(401, "M_UNKNOWN_TOKEN", `"error":"Invalid access token passed.","soft_logout":false}`)
	tests := map[string]struct {
		policy   identity.Policy
		request  *authv3.CheckRequest
		resolver resolver
		want     verdict
		outcome  string
	}{
		"a user's request gets both headers":            {usual, bearer(syncs, "t"), alice, verdict{Set: users}, "found"},
		"a user ID that is none sets no header":         {usual, bearer(syncs, "t"), gives(identity.Identity{UserID: "alice"}), verdict{Set: nothing}, "found"},
		"a request without token goes on":               {usual, checkRequest(syncs, ""), nil, verdict{Set: nothing}, "no_token"},
		"an empty request goes on":                      {usual, &authv3.CheckRequest{}, nil, verdict{Set: nothing}, "no_token"},
		"an unknown token goes on":                      {usual, bearer(syncs, "t"), fails(identity.ErrUnknownToken), verdict{Set: nothing}, "unknown"},
		"a locked user's request goes on":               {usual, bearer(syncs, "t"), fails(identity.ErrUserLocked), verdict{Set: nothing}, "unknown"},
		"without an answer it goes on":                  {usual, bearer(syncs, "t"), fails(identity.ErrUnavailable), verdict{Set: nothing}, "unavailable"},
		"with too many lookups under way it goes on":    {usual, bearer(syncs, "t"), fails(identity.ErrBusy), verdict{Set: nothing}, "busy"},
		"when Envoy does not wait it goes on":           {usual, bearer(syncs, "t"), fails(context.Canceled), verdict{Set: nothing}, "gone"},
		"an error that nobody thought of lets it go on": {usual, bearer(syncs, "t"), fails(errors.New("odd")), verdict{Set: nothing}, "error"},
		"a panic lets it go on":                         {usual, bearer(syncs, "t"), panics, verdict{Set: nothing}, "panic"},
		"a bridge's token says its group, too": {usual, bearer(syncs, "as-secret"), alice, verdict{Set: map[string]string{
			"x-user-identifier": "@alice:example.org", "x-axon-affinity": "YWxpY2U", "x-axon-group": "bridges",
		}}, "found"},
		"its group is known when nothing else is": {usual, bearer(syncs, "as-secret"), fails(identity.ErrUnavailable), verdict{Set: map[string]string{"x-axon-group": "bridges"}}, "unavailable"},

		"enforced, a user's request goes on":           {enforce, bearer(syncs, "t"), alice, verdict{Set: users}, "found"},
		"enforced, no token is missing":                {enforce, checkRequest(syncs, ""), nil, denied(401, "M_MISSING_TOKEN", `"error":"Missing access token"}`), "no_token"},
		"enforced, two tokens are none":                {enforce, bearer(syncs+"?access_token=x", "t"), nil, denied(401, "M_MISSING_TOKEN", `"error":"Missing access token"}`), "no_token"},
		"enforced, an unknown token is refused":        {enforce, bearer(syncs, "t"), fails(identity.ErrUnknownToken), unknown, "unknown"},
		"enforced, a locked user may log in later":     {enforce, bearer(syncs, "t"), fails(identity.ErrUserLocked), denied(401, "M_USER_LOCKED", `"error":"User account has been locked","soft_logout":true}`), "unknown"},
		"enforced, a bridge keeps to its users":        {enforce, bearer(syncs, "t"), fails(identity.ErrForbidden), denied(403, "M_FORBIDDEN", `"error":"Application service cannot masquerade as this user"}`), "unknown"},
		"enforced, without an answer it is refused":    {enforce, bearer(syncs, "t"), fails(identity.ErrUnavailable), denied(503, "M_UNKNOWN", `"error":"Unable to find out whose access token this is"}`), "unavailable"},
		"enforced, a panic refuses":                    {enforce, bearer(syncs, "t"), panics, denied(503, "M_UNKNOWN", `"error":"Unable to find out whose access token this is"}`), "panic"},
		"enforced, what needs no user needs no token":  {enforce, checkRequest(versions, ""), nil, verdict{Set: nothing}, "no_token"},
		"enforced, nor a good one":                     {enforce, bearer(versions, "t"), fails(identity.ErrUnknownToken), verdict{Set: nothing}, "unknown"},
		"enforced, nor an answer":                      {enforce, bearer(versions, "t"), fails(identity.ErrUnavailable), verdict{Set: nothing}, "unavailable"},
		"enforced, another server's request is signed": {enforce, checkRequest("/_matrix/federation/v1/send/1", "", "authorization", "X-Matrix origin=a"), nil, verdict{Set: nothing}, "no_token"},
		"failing open, no answer lets it go on":        {open, bearer(syncs, "t"), fails(identity.ErrUnavailable), verdict{Set: nothing}, "unavailable"},
		"failing open, an unknown token does not":      {open, bearer(syncs, "t"), fails(identity.ErrUnknownToken), unknown, "unknown"},

		"all headers, by other names": {chatty, bearer(syncs, "as-secret"), gives(identity.Identity{UserID: "@bob:example.org", DeviceID: "guest_device", Guest: true}), verdict{Set: map[string]string{
			"x-user": "bob", "x-axon-affinity": "Ym9i", "x-device": "guest_device", "x-guest": "true", "x-bridge": "telegram", "x-axon-group": "bridges",
		}}, "found"},
		"an appservice without workers of its own, too": {chatty, bearer(syncs, "lone-secret"), alice, verdict{Set: map[string]string{
			"x-user": "alice", "x-axon-affinity": "YWxpY2U", "x-device": "ABC", "x-bridge": "irc",
		}}, "found"},
		"also when nothing else is known of it":      {chatty, bearer(syncs, "lone-secret"), fails(identity.ErrUnavailable), verdict{Set: map[string]string{"x-bridge": "irc"}}, "unavailable"},
		"but nothing of it where no header is named": {usual, bearer(syncs, "lone-secret"), alice, verdict{Set: users}, "found"},
		"headers that say nothing are not set":       {chatty, bearer(syncs, "t"), gives(identity.Identity{UserID: "@bob:example.org"}), verdict{Set: map[string]string{"x-user": "bob", "x-axon-affinity": "Ym9i"}}, "found"},
		"no header for the user at all":              {identity.Policy{}, bearer(syncs, "t"), alice, verdict{Set: map[string]string{"x-axon-affinity": "YWxpY2U"}}, "found"},
	}
	for name, test := range tests {
		for protocol, decide := range protocols {
			t.Run(name+" by "+protocol, func(t *testing.T) {
				var log bytes.Buffer
				conn, authz := dialCounted(t, test.resolver, test.policy, &log)
				got := decide(t, conn, test.request)
				if test.want.Status != 0 {
					test.want.Set = refusedHeaders(test.want.Status)
				} else {
					test.want.Removed = taken(test.policy.Headers, test.want.Set)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if n := testutil.ToFloat64(authz.checks[test.outcome]); n != 1 {
					t.Errorf("outcome %q counted %v times", test.outcome, n)
				}
				if strings.Contains(log.String(), "secret") {
					t.Errorf("the token is in the log:\n%s", &log)
				}
				if got.Body != "" && !json.Valid([]byte(got.Body)) {
					t.Errorf("body %s", got.Body)
				}
			})
		}
	}
}

func refusedHeaders(status int) map[string]string {
	all := map[string]string{
		"content-type":                  "application/json",
		"cache-control":                 "no-cache, no-store, must-revalidate",
		"access-control-allow-origin":   "*",
		"access-control-allow-methods":  "GET, HEAD, POST, PUT, DELETE, OPTIONS",
		"access-control-allow-headers":  "X-Requested-With, Content-Type, Authorization, Date",
		"access-control-expose-headers": "Synapse-Trace-Id, Server",
	}
	if status == 503 {
		all["retry-after"] = "5"
	}
	return all
}

// taken are all spellings of the headers that only Axon may set, but for those that are set.
func taken(h identity.Headers, set map[string]string) []string {
	all := map[string]bool{}
	for _, name := range append(h.Named(), "x-user-identifier", "x-axon-affinity", "x-axon-group") {
		words := strings.Split(name, "-")
		for choice := range 1 << (len(words) - 1) {
			spelling := words[0]
			for i, word := range words[1:] {
				spelling += string("-_"[choice>>i&1]) + word
			}
			all[spelling] = true
		}
	}
	var names []string
	for name := range all {
		if set[name] == "" {
			names = append(names, name)
		}
	}
	return sorted(names)
}

// FuzzDecide: whatever a client sends, both protocols say the same, nobody is let in who has no token, and nothing breaks a
// header.
func FuzzDecide(f *testing.F) {
	f.Add("GET", "/_matrix/client/v3/sync?since=s1", "Bearer alice_1", true)
	f.Add("PUT", "/_matrix/client/v3/rooms/!a/send/x/1?access_token=%61lice_1", "", false)
	f.Add("OPTIONS", "//?access_token=a&access_token=b;user_id=%", "bearer x, Bearer y", true)
	policy := identity.DefaultPolicy()
	policy.Enforce = true
	authz := NewAuthz(Options{Resolver: resolver(everybody), Policy: policy, NeedsUser: plan.NeedsUser, Log: slog.New(slog.DiscardHandler)})
	f.Fuzz(func(t *testing.T, method, target, authorization string, present bool) {
		request := checkRequest(target, "198.51.100.1")
		http := request.Attributes.Request.Http
		http.Method = method
		headers := &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: ":method", RawValue: []byte(method)}, {Key: ":path", RawValue: []byte(target)}}}
		if present {
			http.Headers["authorization"] = authorization
			headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: "authorization", RawValue: []byte(authorization)})
		}
		asked := checked(request)
		also := streamed(&extprocv3.ProcessingRequest{}, &extprocv3.HttpHeaders{Headers: headers})
		also.ForwardedFor = asked.ForwardedFor
		if asked != also {
			t.Fatalf("ext_authz asks %+v, ext_proc %+v", asked, also)
		}
		d := authz.decide(t.Context(), asked)
		if d.denied == nil && asked.Token == "" && plan.NeedsUser(method, target) {
			t.Error("let in without a token")
		}
		for _, h := range d.told.headers() {
			if h.value == "" || strings.ContainsAny(h.value, "\r\n\x00") {
				t.Errorf("header %q: %q", h.name, h.value)
			}
		}
	})
}
