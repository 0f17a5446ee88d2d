package plan

import (
	"regexp"
	"slices"
	"strings"
)

// DotSegments matches, as a whole, every :path (query included) with a "." or ".." segment in any encoding. Envoy answers
// them 400, because it forwards paths as they came, and what stands behind a worker might resolve them.
const DotSegments = `[^?]*(?:/|%2[Ff]|%5[Cc]|\\)(?:\.|%2[Ee]){1,2}(?:(?:[/;\\?]|%2[Ff]|%5[Cc]).*)?`

var dotSegments = regexp.MustCompile(`^(?:` + DotSegments + `)$`)

// Guard is the route of paths with dot segments; it stands before all others and in no list.
var Guard = Route{Name: "dot_segments", Status: 400}

// Request is what routes look at.
type Request struct {
	Method string
	// Host is the Host header or :authority; it may be empty.
	Host string
	// Path is the raw request target: percent-encoded path and query, as on the request line.
	Path string
	// Appservice is the group of the appservice that sends the request, empty where it is none's.
	Appservice GroupName
	// Admin says that the client's address is in the listener's synapse_admin.
	Admin bool
}

// Match finds the route of a request, as Envoy does. The last route takes everything, so there always is one.
func (p *Plan) Match(r Request) Route {
	if dotSegments.MatchString(r.Path) {
		return Guard
	}
	routes := p.RoutesFor(r.Host)
	return routes[slices.IndexFunc(routes, func(route Route) bool { return route.matches(r) })]
}

func (r Route) matches(req Request) bool {
	if r.Appservice != "" && r.Appservice != req.Appservice || r.Admin && !req.Admin || len(r.Methods) > 0 && !slices.Contains(r.Methods, req.Method) {
		return false
	}
	path, query, _ := strings.Cut(req.Path, "?")
	if r.Query != nil && !r.Query.matches(query) {
		return false
	}
	return slices.ContainsFunc(r.Paths, func(t Template) bool { return t.Match(path) })
}

// matches looks at the parameter undecoded, as Envoy does.
func (q Query) matches(query string) bool {
	return slices.ContainsFunc(strings.Split(query, "&"), func(pair string) bool {
		name, value, _ := strings.Cut(pair, "=")
		return name == q.Name && value != "" && (q.Value == "" || value == q.Value)
	})
}

// Regex is the condition as an anchored RE2 expression over :path.
func (q Query) Regex() string {
	value := "[^&].*"
	if q.Value != "" {
		value = regexp.QuoteMeta(q.Value) + "(?:&.*)?"
	}
	return `[^?]*\?(?:.*&)?` + regexp.QuoteMeta(q.Name) + "=" + value
}

// Cluster finds a cluster by name.
func (p *Plan) Cluster(name string) (Cluster, bool) {
	i := slices.IndexFunc(p.Clusters, func(c Cluster) bool { return c.Name == name })
	if i < 0 {
		return Cluster{}, false
	}
	return p.Clusters[i], true
}
