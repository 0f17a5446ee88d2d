package translate

import (
	_ "embed"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
)

// mendErrors gives the errors that the Matrix Authentication Service answers in plain text, or with nothing, the form of
// Matrix errors. Lua, because Envoy's custom_response filter is still marked as work in progress.
//
//go:embed mend.lua
var mendErrors string

func mend() *luav3.Lua {
	return &luav3.Lua{DefaultSourceCode: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: mendErrors}}}
}

// ifAbsent are the same headers, for answers that do not have them.
func ifAbsent(headers []*corev3.HeaderValueOption) []*corev3.HeaderValueOption {
	var all []*corev3.HeaderValueOption
	for _, h := range headers {
		all = append(all, &corev3.HeaderValueOption{Header: h.Header, AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT})
	}
	return all
}
