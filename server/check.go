package server

import (
	"context"
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"axon/server/identity"
)

// Check is ext_authz: headers in, headers out. The error is always nil.
func (a *Authz) Check(ctx context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	d := a.decide(ctx, checked(r))
	switch {
	case d.denied != nil:
		return denied(d.denied), nil
	case d.nothing:
		return a.anonymous, nil
	}
	return allowed(d.told), nil
}

// checked is what Envoy's question says of the token and its bearer.
func checked(r *authv3.CheckRequest) question {
	request, headers := r.GetAttributes().GetRequest().GetHttp(), r.GetAttributes().GetRequest().GetHttp().GetHeaders()
	authorization, present := headers["authorization"]
	return ask(request.GetMethod(), request.GetPath(), identity.Header{Value: authorization, Present: present}, headers["user-agent"],
		headers["x-forwarded-for"], r.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress())
}

// client is the client's address as Envoy trusts it: the last element of X-Forwarded-For, which Envoy overwrote or
// appended to, or else the connection's.
func client(forwarded, connection string) string {
	if last := strings.TrimSpace(forwarded[strings.LastIndexByte(forwarded, ',')+1:]); last != "" {
		return last
	}
	return connection
}

// good is shared by all answers: it is only read.
var good = &status.Status{}

// allowed lets a request go on.
func allowed(t told) *authv3.CheckResponse {
	answer := &struct { // one allocation for three
		response authv3.CheckResponse
		result   authv3.CheckResponse_OkResponse
		ok       authv3.OkHttpResponse
	}{}
	answer.ok.Headers, answer.ok.HeadersToRemove = options(t.headers(), valued), t.remove
	answer.result.OkResponse = &answer.ok
	answer.response.Status, answer.response.HttpResponse = good, &answer.result
	return &answer.response
}

// denied answers in a worker's place. Not error_response: failure_mode_allow would let the request through.
func denied(r *denial) *authv3.CheckResponse {
	code := codes.PermissionDenied
	switch r.status {
	case http.StatusUnauthorized:
		code = codes.Unauthenticated
	case http.StatusServiceUnavailable:
		code = codes.Unavailable
	}
	return &authv3.CheckResponse{
		Status: &status.Status{Code: int32(code)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: &authv3.DeniedHttpResponse{
			Status: &typev3.HttpStatus{Code: typev3.StatusCode(r.status)}, Headers: options(r.headers, valued), Body: r.body,
		}},
	}
}

// options set headers, overwriting others. How a value is held differs between the protocols: with ext_authz, Envoy 1.40
// makes an empty header of a raw value alone, and adds nothing when append is true; with ext_proc it wants the raw value.
func options(headers []header, hold func(*corev3.HeaderValue, string)) []*corev3.HeaderValueOption {
	if len(headers) == 0 {
		return nil
	}
	all := make([]struct { // one allocation for two each
		option corev3.HeaderValueOption
		value  corev3.HeaderValue
	}, len(headers))
	list := make([]*corev3.HeaderValueOption, len(headers))
	for i, h := range headers {
		o := &all[i]
		o.value.Key = h.name
		hold(&o.value, h.value)
		o.option.Header, o.option.AppendAction = &o.value, corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		list[i] = &o.option
	}
	return list
}

func valued(h *corev3.HeaderValue, value string) { h.Value = value }

func rawValued(h *corev3.HeaderValue, value string) { h.RawValue = []byte(value) }
