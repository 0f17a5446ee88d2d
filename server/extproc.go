package server

import (
	"context"
	"errors"
	"io"
	"net"

	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"axon/server/identity"
)

// Process is ext_proc, a stream for each request. The headers of a request get the decision that Check would give; of the
// bodies of answers Axon learns. Every other phase is let through as it is, but only those are worth being sent. It does
// not do for the mode FULL_DUPLEX_STREAMED, which wants every byte back.
func (a *Authz) Process(stream extprocv3.ExternalProcessor_ProcessServer) error {
	exchange := exchange{}
	for {
		r, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) || stream.Context().Err() != nil: // the request is over
			return nil
		case err != nil:
			return err
		}
		response := a.phase(stream.Context(), r, &exchange)
		if response == nil {
			return status.Error(codes.Unimplemented, "unknown phase of a request")
		}
		if err := stream.Send(response); err != nil {
			return err
		}
	}
}

// exchange is what is remembered of a request until its answer.
type exchange struct{ refreshToken string }

// phase answers one message; nil for one that nobody knows.
func (a *Authz) phase(ctx context.Context, r *extprocv3.ProcessingRequest, e *exchange) *extprocv3.ProcessingResponse {
	switch m := r.Request.(type) {
	case *extprocv3.ProcessingRequest_RequestHeaders:
		return processed(a.decide(ctx, streamed(r, m.RequestHeaders)))
	case *extprocv3.ProcessingRequest_ResponseHeaders:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseHeaders{ResponseHeaders: &extprocv3.HeadersResponse{}}}
	case *extprocv3.ProcessingRequest_RequestBody:
		a.learning.asked(m.RequestBody.GetBody(), e)
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestBody{RequestBody: &extprocv3.BodyResponse{}}}
	case *extprocv3.ProcessingRequest_ResponseBody:
		a.learning.answered(m.ResponseBody.GetBody(), e)
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseBody{ResponseBody: &extprocv3.BodyResponse{}}}
	case *extprocv3.ProcessingRequest_RequestTrailers:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestTrailers{RequestTrailers: &extprocv3.TrailersResponse{}}}
	case *extprocv3.ProcessingRequest_ResponseTrailers:
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ResponseTrailers{ResponseTrailers: &extprocv3.TrailersResponse{}}}
	}
	return nil
}

// streamed is what a request's headers say of the token and its bearer. Of a header that came twice the values are joined,
// as Envoy joins them for ext_authz.
func streamed(r *extprocv3.ProcessingRequest, m *extprocv3.HttpHeaders) question {
	headers := map[string]string{}
	for _, h := range m.GetHeaders().GetHeaders() {
		value := h.Value
		if len(h.RawValue) > 0 {
			value = string(h.RawValue)
		}
		if before, again := headers[h.Key]; again {
			value = before + "," + value
		}
		headers[h.Key] = value
	}
	authorization, present := headers["authorization"]
	return ask(headers[":method"], headers[":path"], identity.Header{Value: authorization, Present: present}, headers["user-agent"],
		headers["x-forwarded-for"], sourceAddress(r))
}

// sourceAddress is the attribute of that name, where the filter's request_attributes have it.
func sourceAddress(r *extprocv3.ProcessingRequest) string {
	for _, attributes := range r.GetAttributes() {
		if host, _, err := net.SplitHostPort(attributes.GetFields()["source.address"].GetStringValue()); err == nil {
			return host
		}
	}
	return ""
}

// processed is a decision in ext_proc's words. A request that has a group may find another route.
func processed(d decision) *extprocv3.ProcessingResponse {
	if r := d.denied; r != nil {
		return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_ImmediateResponse{ImmediateResponse: &extprocv3.ImmediateResponse{
			Status:  &typev3.HttpStatus{Code: typev3.StatusCode(r.status)},
			Headers: &extprocv3.HeaderMutation{SetHeaders: options(r.headers, rawValued)},
			Body:    []byte(r.body),
			Details: "axon_" + r.errcode,
		}}}
	}
	common := &extprocv3.CommonResponse{
		HeaderMutation:  &extprocv3.HeaderMutation{SetHeaders: options(d.told.headers(), rawValued), RemoveHeaders: d.told.remove},
		ClearRouteCache: d.told.given&(1<<groupField) != 0,
	}
	return &extprocv3.ProcessingResponse{Response: &extprocv3.ProcessingResponse_RequestHeaders{
		RequestHeaders: &extprocv3.HeadersResponse{Response: common},
	}}
}
