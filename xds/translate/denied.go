package translate

import (
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	celv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/filters/cel/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"axon/xds/plan"
)

// denialsStay puts a mapper that changes nothing before the others, for what Axon refuses: to Envoy that is a local reply
// like its own, and the first mapper that fits counts. Nothing but the details tells it from the reply to an Axon that
// does not answer, which has no body.
func denialsStay(replies *hcmv3.LocalReplyConfig, id *plan.Identity) {
	if id == nil || !id.Enforce {
		return
	}
	stay := &hcmv3.ResponseMapper{Filter: &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_ExtensionFilter{
		ExtensionFilter: &accesslogv3.ExtensionFilter{
			Name: "axon.denied",
			ConfigType: &accesslogv3.ExtensionFilter_TypedConfig{TypedConfig: pack(&celv3.ExpressionFilter{
				Expression: `response.code_details == "ext_authz_denied"`,
			})},
		},
	}}}
	replies.Mappers = append([]*hcmv3.ResponseMapper{stay}, replies.Mappers...)
}
