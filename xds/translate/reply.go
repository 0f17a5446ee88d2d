package translate

import (
	"strconv"
	"time"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// flagOverflow is Envoy's for an answer of its own because a circuit breaker of the cluster is open.
const flagOverflow = "UO"

// again is when a client may come back: by then a dead worker is left out, and some of a queue is served.
const again = 5 * time.Second

// reply is what Envoy says itself, as a Matrix error (client-server API, "Standard error response"): a web client can read
// neither Envoy's plain texts nor anything without CORS headers.
type reply struct {
	status  uint32
	errcode string
	text    string
	// again says that Retry-After is told.
	again bool
}

var (
	overloaded = reply{429, "M_LIMIT_EXCEEDED", "Too many requests", true}

	replies = []reply{
		{400, "M_UNKNOWN", "Bad request", false},
		{403, "M_FORBIDDEN", "Forbidden", false},
		{404, "M_UNRECOGNIZED", "Unrecognized request", false},
		{408, "M_UNKNOWN", "The request took too long to arrive", false},
		{413, "M_TOO_LARGE", "The request is too large", false},
		overloaded,
		{431, "M_TOO_LARGE", "The request's headers are too large", false},
		{500, "M_UNKNOWN", "Internal server error", false},
		{502, "M_UNKNOWN", "The homeserver gave no valid answer", false},
		{503, "M_UNKNOWN", "The homeserver is not available", true},
		{504, "M_UNKNOWN", "The homeserver took too long to answer", false},
	}

	// anyOther is for the statuses that nobody has thought of.
	anyOther = reply{0, "M_UNKNOWN", "The request cannot be served", false}
)

// cors are the headers that Synapse sends (http/server.py, set_cors_headers).
var cors = []*corev3.HeaderValueOption{
	setHeader("access-control-allow-origin", "*"),
	setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
	setHeader("access-control-allow-headers", "X-Requested-With, Content-Type, Authorization, Date"),
}

// localReplies are tried in their order; the first whose filter matches has the answer.
func localReplies() *hcmv3.LocalReplyConfig {
	config := &hcmv3.LocalReplyConfig{Mappers: []*hcmv3.ResponseMapper{
		preflight(),
		{
			Filter: and(hasFlag(flagOverflow), statusIs(equal, 503)), StatusCode: number(overloaded.status),
			HeadersToAdd: overloaded.headers(), BodyFormatOverride: overloaded.body(),
		},
	}}
	for _, r := range replies {
		config.Mappers = append(config.Mappers, &hcmv3.ResponseMapper{Filter: statusIs(equal, r.status), HeadersToAdd: r.headers(), BodyFormatOverride: r.body()})
	}
	config.Mappers = append(config.Mappers, &hcmv3.ResponseMapper{
		Filter: statusIs(atLeast, 400), HeadersToAdd: anyOther.headers(), BodyFormatOverride: anyOther.body(),
	})
	return config
}

// preflight lets a browser go on to its real request, whose error it then can read: one whose preflight fails tells the page
// nothing at all. Synapse answers every OPTIONS so.
func preflight() *hcmv3.ResponseMapper {
	options := &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_HeaderFilter{
		HeaderFilter: &accesslogv3.HeaderFilter{Header: &routev3.HeaderMatcher{
			Name:                 ":method",
			HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: exactly("OPTIONS")},
		}},
	}}
	return &hcmv3.ResponseMapper{
		Filter: and(options, statusIs(atLeast, 400)), StatusCode: number(204), HeadersToAdd: cors,
		Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{}},
	}
}

// headers let a web client read the reply and, where it says so, when to come back.
func (r reply) headers() []*corev3.HeaderValueOption {
	if !r.again {
		return cors
	}
	return append([]*corev3.HeaderValueOption{
		setHeader("retry-after", strconv.Itoa(int(again.Seconds()))),
		setHeader("access-control-expose-headers", "Retry-After"),
	}, cors...)
}

func (r reply) body() *corev3.SubstitutionFormatString {
	fields := map[string]*structpb.Value{"errcode": structpb.NewStringValue(r.errcode), "error": structpb.NewStringValue(r.text)}
	if r.errcode == overloaded.errcode {
		fields["retry_after_ms"] = structpb.NewNumberValue(float64(again.Milliseconds()))
	}
	return &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{Fields: fields}}}
}

const (
	equal   = accesslogv3.ComparisonFilter_EQ
	atLeast = accesslogv3.ComparisonFilter_GE
)

func statusIs(op accesslogv3.ComparisonFilter_Op, value uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op:    op,
			Value: &corev3.RuntimeUInt32{DefaultValue: value, RuntimeKey: "axon.local_reply"},
		}},
	}}
}

func hasFlag(flag string) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ResponseFlagFilter{
		ResponseFlagFilter: &accesslogv3.ResponseFlagFilter{Flags: []string{flag}},
	}}
}

func and(filters ...*accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{AndFilter: &accesslogv3.AndFilter{Filters: filters}}}
}
