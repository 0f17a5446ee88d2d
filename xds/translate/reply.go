package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// replies are what Envoy says itself, as Matrix errors (client-server API, "Standard error response"): a web client can
// read neither Envoy's plain texts nor anything without CORS headers.
var replies = []struct {
	status  uint32
	errcode string
	text    string
}{
	{400, "M_UNKNOWN", "Bad request"},
	{403, "M_FORBIDDEN", "Forbidden"},
	{404, "M_UNRECOGNIZED", "Unrecognized request"},
	{408, "M_UNKNOWN", "The request took too long to arrive"},
	{413, "M_TOO_LARGE", "The request is too large"},
	{429, "M_LIMIT_EXCEEDED", "Too many requests"},
	{502, "M_UNKNOWN", "The homeserver gave no valid answer"},
	{503, "M_UNKNOWN", "The homeserver is not available"},
	{504, "M_UNKNOWN", "The homeserver took too long to answer"},
}

// cors are the headers that Synapse sends (http/server.py, set_cors_headers).
var cors = []*corev3.HeaderValueOption{
	setHeader("access-control-allow-origin", "*"),
	setHeader("access-control-allow-methods", "GET, HEAD, POST, PUT, DELETE, OPTIONS"),
	setHeader("access-control-allow-headers", "X-Requested-With, Content-Type, Authorization, Date"),
}

func localReplies() *hcmv3.LocalReplyConfig {
	config := &hcmv3.LocalReplyConfig{}
	for _, r := range replies {
		config.Mappers = append(config.Mappers, &hcmv3.ResponseMapper{
			Filter:             statusIs(r.status),
			HeadersToAdd:       cors,
			BodyFormatOverride: matrixError(r.errcode, r.text),
		})
	}
	return config
}

func matrixError(errcode, text string) *corev3.SubstitutionFormatString {
	return &corev3.SubstitutionFormatString{Format: &corev3.SubstitutionFormatString_JsonFormat{JsonFormat: &structpb.Struct{
		Fields: map[string]*structpb.Value{"errcode": structpb.NewStringValue(errcode), "error": structpb.NewStringValue(text)},
	}}}
}

func statusIs(status uint32) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_StatusCodeFilter{
		StatusCodeFilter: &accesslogv3.StatusCodeFilter{Comparison: &accesslogv3.ComparisonFilter{
			Op:    accesslogv3.ComparisonFilter_EQ,
			Value: &corev3.RuntimeUInt32{DefaultValue: status, RuntimeKey: "axon.local_reply"},
		}},
	}}
}
