package xds

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// references are the fields by which one resource names another, wherever they stand.
var references = map[protoreflect.FullName]Type{
	"envoy.config.core.v3.GrpcService.EnvoyGrpc.cluster_name":                                   Cluster,
	"envoy.config.core.v3.HttpUri.cluster":                                                      Cluster,
	"envoy.config.route.v3.RouteAction.RequestMirrorPolicy.cluster":                             Cluster,
	"envoy.config.route.v3.RouteAction.cluster":                                                 Cluster,
	"envoy.config.route.v3.WeightedCluster.ClusterWeight.name":                                  Cluster,
	"envoy.extensions.clusters.aggregate.v3.ClusterConfig.clusters":                             Cluster,
	"envoy.extensions.filters.network.http_connection_manager.v3.Rds.route_config_name":         Route,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight.name": Cluster,
	"envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.cluster":                            Cluster,
}

// The other fields that are looked at; regular expressions are RE2 in Envoy and in Go.
const (
	envoyRegex   = "envoy.type.matcher.v3.RegexMatcher.regex"
	xdsRegex     = "xds.type.matcher.v3.RegexMatcher.regex"
	substitution = "envoy.type.matcher.v3.RegexMatchAndSubstitute.substitution"
	anyURL       = "google.protobuf.Any.type_url"
)

// inside looks at every field of a resource, those of typed configurations and thereby of match trees included.
func (c *checker) inside(t Type, r types.Resource) {
	name := cachev3.GetResourceName(r)
	err := protorange.Options{Stable: true}.Range(r.ProtoReflect(), func(p protopath.Values) error {
		if err := c.step(p); err != nil {
			if at := place(p.Path); at != "" {
				err = fmt.Errorf("%s: %w", at, err)
			}
			c.fault(t, name, "%w", err)
		}
		return nil
	}, nil)
	if err != nil {
		c.fault(t, name, "%w", err)
	}
}

func (c *checker) step(p protopath.Values) error {
	last := p.Index(-1)
	switch last.Step.Kind() {
	case protopath.RootStep, protopath.AnyExpandStep:
		return constraints(last.Value.Message())
	case protopath.FieldAccessStep:
		return c.field(last.Step.FieldDescriptor(), last.Value, p.Index(-2).Value.Message())
	}
	return nil
}

// constraints are those that Envoy's API itself writes down and that Envoy checks first.
func constraints(m protoreflect.Message) error {
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok && m.IsValid() {
		return v.ValidateAll()
	}
	return nil
}

func (c *checker) field(fd protoreflect.FieldDescriptor, value protoreflect.Value, parent protoreflect.Message) error {
	switch name := fd.FullName(); name {
	case envoyRegex, xdsRegex:
		_, err := regexp.Compile(value.String())
		return err
	case substitution:
		return groups(parent, value.String())
	case anyURL:
		// Only an Any that could not be opened shows its own fields.
		return fmt.Errorf("%q: unknown type, or not a message of it", value.String())
	default:
		if t, ok := references[name]; ok {
			return c.refer(t, texts(fd, value))
		}
	}
	return nil
}

func (c *checker) refer(t Type, names []string) error {
	var unknown []string
	for _, name := range names {
		c.named[t][name] = true
		if !c.known[t][name] {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if unknown == nil {
		return nil
	}
	return fmt.Errorf("unknown %s %s", titles[t], strings.Join(unknown, ", "))
}

func texts(fd protoreflect.FieldDescriptor, value protoreflect.Value) []string {
	if !fd.IsList() {
		return []string{value.String()}
	}
	all := make([]string, value.List().Len())
	for i := range all {
		all[i] = value.List().Get(i).String()
	}
	return all
}

var backReference = regexp.MustCompile(`\\[0-9]`)

// groups refuses a substitution that uses a group which its pattern does not have.
func groups(parent protoreflect.Message, text string) error {
	pattern := parent.Get(parent.Descriptor().Fields().ByName("pattern")).Message()
	re, err := regexp.Compile(pattern.Get(pattern.Descriptor().Fields().ByName("regex")).String())
	for _, ref := range backReference.FindAllString(text, -1) {
		// A pattern that does not compile is a fault of its own field.
		if n := int(ref[1] - '0'); err == nil && n > re.NumSubexp() {
			return fmt.Errorf("%q: the pattern has %d groups", text, re.NumSubexp())
		}
	}
	return nil
}

// place is where a fault stands inside its resource, without the types of opened Anys: virtual_hosts[0].matcher.…
func place(path protopath.Path) string {
	var b strings.Builder
	for _, step := range path {
		if k := step.Kind(); k != protopath.RootStep && k != protopath.AnyExpandStep {
			b.WriteString(step.String())
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}
