package xds

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"

	"axon/xds/translate"
)

// Type is a type of resource as logs, metrics and the status spell it.
type Type string

// The types that Axon serves.
const (
	Listener Type = "listener"
	Route    Type = "route"
	Cluster  Type = "cluster"
	Endpoint Type = "endpoint"
)

// Types has all of them, in the order of xDS: what is needed first stands first.
var Types = []Type{Cluster, Endpoint, Listener, Route}

var typeURLs = map[Type]string{
	Listener: resourcev3.ListenerType,
	Route:    resourcev3.RouteType,
	Cluster:  resourcev3.ClusterType,
	Endpoint: resourcev3.EndpointType,
}

// typeOf gives "other" for what Axon does not serve, since a client may ask for anything.
func typeOf(url string) Type {
	for _, t := range Types {
		if typeURLs[t] == url {
			return t
		}
	}
	return "other"
}

// versionLength in hex digits: 64 bits tell apart the few thousand versions that an Envoy ever sees, and fit a log line.
const versionLength = 16

// NewSnapshot makes of r what an Envoy can be given: whole, consistent, and versioned by its content, each type for itself. It
// refuses everything else, and the error then joins all faults. The snapshot holds on to r, which may not change any more.
func NewSnapshot(r translate.Resources) (*cachev3.Snapshot, error) {
	resources := byType(r)
	if err := check(resources); err != nil {
		return nil, err
	}
	return index(resources)
}

// VersionOf is the Version that a snapshot of r has; r is not checked.
func VersionOf(r translate.Resources) (string, error) {
	snapshot, err := index(byType(r))
	if err != nil {
		return "", err
	}
	return Version(snapshot), nil
}

func index(resources map[Type][]types.Resource) (*cachev3.Snapshot, error) {
	named := make(map[Type]map[string]types.Resource, len(resources))
	for t, list := range resources {
		named[t] = cachev3.IndexRawResourcesByName(list)
	}
	return assemble(named)
}

// assemble gives the versions.
func assemble(resources map[Type]map[string]types.Resource) (*cachev3.Snapshot, error) {
	snapshot := new(cachev3.Snapshot)
	for t, named := range resources {
		snapshot.Resources[cachev3.GetResponseType(typeURLs[t])] = cachev3.NewResources("", slices.Collect(maps.Values(named)))
	}
	// Done here, because two caches share the snapshot and would otherwise both do it on first use.
	if err := snapshot.ConstructVersionMap(); err != nil {
		return nil, fmt.Errorf("snapshot: versions: %w", err)
	}
	for _, url := range typeURLs {
		snapshot.Resources[cachev3.GetResponseType(url)].Version = digest(snapshot.GetVersionMap(url))
	}
	return snapshot, nil
}

// Version is one version for the whole snapshot: equal content gives an equal version in every process.
func Version(s *cachev3.Snapshot) string {
	versions := make(map[string]string, len(typeURLs))
	for t, url := range typeURLs {
		versions[string(t)] = s.GetVersion(url)
	}
	return digest(versions)
}

// digest hashes names and the versions that belong to them; a resource's version is the SHA-256 of its deterministic marshal.
func digest(versions map[string]string) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(hash, "%q %s\n", name, versions[name])
	}
	return hex.EncodeToString(hash.Sum(nil))[:versionLength]
}

func byType(r translate.Resources) map[Type][]types.Resource {
	return map[Type][]types.Resource{
		Listener: erase(r.Listeners),
		Route:    erase(r.Routes),
		Cluster:  erase(r.Clusters),
		Endpoint: erase(r.Endpoints),
	}
}

func erase[T types.Resource](list []T) []types.Resource {
	erased := make([]types.Resource, len(list))
	for i, r := range list {
		erased[i] = r
	}
	return erased
}
