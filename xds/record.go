package xds

import (
	"errors"
	"fmt"

	"github.com/cncf/xds/go/udpa/annotations"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"
	"google.golang.org/protobuf/reflect/protoreflect"

	"axon/xds/translate"
)

// Record is a snapshot's resources as bytes, to be kept. They give the same versions again.
type Record map[Type][][]byte

// ErrSecret says that resources hold a secret themselves, and not the name of a file that does.
var ErrSecret = errors.New("holds a secret")

// NewRecord refuses resources that hold a secret, with an error that wraps ErrSecret for each.
func NewRecord(r translate.Resources) (Record, error) {
	record := Record{}
	var faults []error
	for t, list := range byType(r) {
		for _, resource := range list {
			if err := secret(resource); err != nil {
				faults = append(faults, fmt.Errorf("%s %q: %w", titles[t], cachev3.GetResourceName(resource), err))
			}
			content, err := proto.MarshalOptions{Deterministic: true}.Marshal(resource)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s %q: %w", titles[t], cachev3.GetResourceName(resource), err))
			}
			record[t] = append(record[t], content)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return record, nil
}

// secret finds what Envoy's API marks as sensitive.
func secret(r types.Resource) error {
	return protorange.Range(r.ProtoReflect(), func(p protopath.Values) error {
		last := p.Index(-1)
		if last.Step.Kind() != protopath.FieldAccessStep {
			return nil
		}
		field := last.Step.FieldDescriptor()
		if !proto.GetExtension(field.Options(), annotations.E_Sensitive).(bool) || outside(field, last.Value) {
			return nil
		}
		return fmt.Errorf("%s: %w", place(p.Path), ErrSecret)
	})
}

// outside says whether the secret itself is somewhere else.
func outside(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
	if field.Message() == nil || field.IsList() || field.IsMap() {
		return false
	}
	source, ok := value.Message().Interface().(*corev3.DataSource)
	if !ok {
		return false
	}
	switch source.GetSpecifier().(type) {
	case *corev3.DataSource_Filename, *corev3.DataSource_EnvironmentVariable:
		return true
	}
	return false
}

// Resources are those that the record was made of. They are not checked: NewSnapshot does.
func (r Record) Resources() (all translate.Resources, err error) {
	var errs [4]error
	all.Listeners, errs[0] = unmarshal[listenerv3.Listener](r[Listener])
	all.Routes, errs[1] = unmarshal[routev3.RouteConfiguration](r[Route])
	all.Clusters, errs[2] = unmarshal[clusterv3.Cluster](r[Cluster])
	all.Endpoints, errs[3] = unmarshal[endpointv3.ClusterLoadAssignment](r[Endpoint])
	return all, errors.Join(errs[:]...)
}

func unmarshal[M any, P interface {
	*M
	proto.Message
}](contents [][]byte) ([]P, error) {
	var all []P
	for _, content := range contents {
		m := P(new(M))
		if err := proto.Unmarshal(content, m); err != nil {
			return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().Name(), err)
		}
		all = append(all, m)
	}
	return all, nil
}
