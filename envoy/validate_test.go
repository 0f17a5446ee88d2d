package envoy

import (
	"context"
	"errors"
	"strings"
	"testing"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

func static(clusters ...*clusterv3.Cluster) *bootstrapv3.Bootstrap {
	return &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "test", Cluster: "test"},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{Clusters: clusters},
	}
}

func TestValidateGivesEnvoysMessage(t *testing.T) {
	envoy := realEnvoy(t)
	tests := map[string]struct {
		config *bootstrapv3.Bootstrap
		want   string // nothing: accepted
	}{
		"a sound configuration is accepted": {config: static(&clusterv3.Cluster{Name: "main"})},
		"a constraint is named, and the configuration not repeated": {
			config: static(&clusterv3.Cluster{Name: "main"}, &clusterv3.Cluster{}),
			want:   "envoy rejects the configuration: Proto constraint validation failed (BootstrapValidationError.StaticResources",
		},
		"two clusters of one name": {
			config: static(&clusterv3.Cluster{Name: "main"}, &clusterv3.Cluster{Name: "main"}),
			want:   "envoy rejects the configuration: cluster manager: duplicate cluster 'main'",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := Validate(t.Context(), envoy, tt.config)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrRejected) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Validate: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestValidateWithoutAnAnswerIsNoVerdict(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := map[string]struct {
		ctx  context.Context
		path string
	}{
		"no such binary":            {ctx: t.Context(), path: "/no/envoy"},
		"the caller gave up before": {ctx: cancelled, path: realEnvoy(t)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := Validate(tt.ctx, tt.path, static()); err == nil || errors.Is(err, ErrRejected) {
				t.Errorf("Validate: %v", err)
			}
		})
	}
}

func TestMessage(t *testing.T) {
	tests := map[string]struct{ in, want string }{
		"the file's name goes":     {"error initializing configuration '/tmp/x/envoy.json': route: unknown cluster 'nope'\n", "route: unknown cluster 'nope'"},
		"a dump goes":              {"error initializing configuration 'f': goo.gle/debugproto  \nnode {\n  id: \"secret\"\n}\n: Proto constraint validation failed", "Proto constraint validation failed"},
		"a dump without end goes":  {"bad: goo.gle/debugstr \nnode {\n  id: \"secret\"", "bad:"},
		"white space is collapsed": {"a   b\n\tc\n", "a b c"},
		"silence is named":         {"\n", "without a message"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := message(tt.in); got != tt.want {
				t.Errorf("message = %q, want %q", got, tt.want)
			}
		})
	}
}
