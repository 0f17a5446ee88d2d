package translate

import (
	"slices"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authzv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_proc/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"axon/xds/plan"
)

// learnTimeout is how long a login may wait until Axon has looked at its answer.
const learnTimeout = 200 * time.Millisecond

// extAuthz asks Axon who the user is. Whatever happens to Axon, the request goes on, unless the operator wants it refused.
func extAuthz(id *plan.Identity) *authzv3.ExtAuthz {
	config := &authzv3.ExtAuthz{
		TransportApiVersion: corev3.ApiVersion_V3,
		FailureModeAllow:    !id.FailClosed,
		ClearRouteCache:     id.Rematch,
		Services:            &authzv3.ExtAuthz_GrpcService{GrpcService: axon(id.Timeout)},
		AllowedHeaders: &matcherv3.ListStringMatcher{Patterns: []*matcherv3.StringMatcher{
			exactly("authorization"), exactly("user-agent"), exactly("x-forwarded-for"),
		}},
	}
	if id.FailClosed { // or else Envoy says 403, and clients take that for an answer
		config.StatusOnError = &typev3.HttpStatus{Code: typev3.StatusCode_ServiceUnavailable}
	}
	return config
}

// learn shows Axon answers that hold a new token, where a route says so. Whatever happens to Axon, the answer goes on as it
// came. Of one that is too long for Envoy's buffer only the beginning is shown: BUFFERED would make it an error.
func learn() *extprocv3.ExternalProcessor {
	return &extprocv3.ExternalProcessor{
		GrpcService:      axon(0),
		FailureModeAllow: true,
		MessageTimeout:   seconds(learnTimeout),
		ProcessingMode:   &extprocv3.ProcessingMode{RequestHeaderMode: extprocv3.ProcessingMode_SKIP, ResponseHeaderMode: extprocv3.ProcessingMode_SKIP},
	}
}

// learnFrom shows Axon answers and, only where it is needed, requests: those to log in hold passwords.
func learnFrom(what plan.Learn) *extprocv3.ExtProcPerRoute {
	mode := &extprocv3.ProcessingMode{
		RequestHeaderMode:  extprocv3.ProcessingMode_SKIP,
		ResponseHeaderMode: extprocv3.ProcessingMode_SKIP,
		ResponseBodyMode:   extprocv3.ProcessingMode_BUFFERED_PARTIAL,
	}
	if what == plan.Both {
		mode.RequestBodyMode = extprocv3.ProcessingMode_BUFFERED_PARTIAL
	}
	return &extprocv3.ExtProcPerRoute{Override: &extprocv3.ExtProcPerRoute_Overrides{Overrides: &extprocv3.ExtProcOverrides{ProcessingMode: mode}}}
}

// axon is its gRPC server; a time-out of 0 is none.
func axon(timeout time.Duration) *corev3.GrpcService {
	service := &corev3.GrpcService{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
		EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: IdentityCluster},
	}}
	if timeout > 0 {
		service.Timeout = seconds(timeout)
	}
	return service
}

// asked gives routes the marks that an identity server makes sense of. Where users are enforced, all but the open paths are
// asked about: a route that has both becomes two of its name, so that what needs no user does not need Axon either.
func asked(routes []plan.Route, id *plan.Identity) []plan.Route {
	var all []plan.Route
	for _, r := range routes {
		if id == nil || !id.Learn {
			r.Learn = plan.Nothing
		}
		if id == nil || !id.Enforce || r.Status != 0 || allOpen(r) {
			all = append(all, r)
			continue
		}
		if len(r.Open) > 0 {
			open := r
			open.Paths = r.Open
			all = append(all, open)
		}
		r.Identify = true
		all = append(all, r)
	}
	return all
}

func allOpen(r plan.Route) bool {
	return slices.EqualFunc(r.Paths, r.Open, func(a, b plan.Template) bool { return a.String() == b.String() })
}
