// Package table is docs/endpoints.json: every endpoint of Synapse, the processes that serve it, and where Axon sends it.
package table

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// Table is the whole file.
type Table struct {
	// About says what the file is.
	About string `json:"about"`
	// Synapse is the version that was asked.
	Synapse   string            `json:"synapse"`
	Streams   map[string]Stream `json:"streams"`
	Endpoints []Endpoint        `json:"endpoints"`
}

// Stream is one whose writer an administrator can move off main.
type Stream struct {
	// Several says whether Synapse accepts more than one writer.
	Several bool `json:"several"`
	// DecidedIn are the classes and functions of Synapse that ask who the writer is.
	DecidedIn []string `json:"decided_in"`
}

// Endpoint is one method of one pattern.
type Endpoint struct {
	Method string `json:"method"`
	// Path is the pattern for people: {name} stands for one segment, the rest is a regular expression.
	Path string `json:"path"`
	// Regex is what Synapse compares with the raw, percent-encoded path; RE2, anchored.
	Regex    string   `json:"regex"`
	Servlets []string `json:"servlets"`
	// Features are the settings any one of which brings the endpoint; none: it is always there.
	Features []string `json:"features"`
	// Native and Delegated (to the Matrix Authentication Service) say who serves it.
	Native    Served `json:"native"`
	Delegated Served `json:"delegated"`
	// Stream is the one that the request writes to, and Writer what a process does that is none of its writers.
	Stream string `json:"stream,omitempty"`
	Writer Writer `json:"writer,omitempty"`
	// Documented are the parts of Synapse's docs/workers.md that let some spelling of it leave main.
	Documented []Part   `json:"documented"`
	Axon       []Choice `json:"axon"`
	Examples   []string `json:"examples"`
}

// Served gives, by kind of process, the listener resources one of which makes it serve the endpoint. A kind that is not
// there does not serve it.
type Served map[Kind][]string

// Kind is a kind of process.
type Kind string

// The kinds. The media repository is loaded where the process's configuration says enable_media_repo.
const (
	Main            Kind = "main"
	MainWithMedia   Kind = "main_with_media"
	Worker          Kind = "worker"
	WorkerWithMedia Kind = "worker_with_media"
)

// Any stands for every resource.
const Any = "any"

// By says whether a process of a kind serves it on a listener with these resources.
func (s Served) By(kind Kind, resources []string) bool {
	return slices.ContainsFunc(s[kind], func(r string) bool { return r == Any || slices.Contains(resources, r) })
}

// Writer is what a process does with a request that another process must write.
type Writer string

// A Strict request is answered 500 by any process but a writer, a Preferred one is passed on to a writer by Synapse.
const (
	Strict    Writer = "strict"
	Preferred Writer = "preferred"
)

// Choice is where Axon sends the endpoint's requests.
type Choice struct {
	Route string `json:"route"`
	// Group is empty where Envoy answers by itself.
	Group    string `json:"group,omitempty"`
	Affinity string `json:"affinity,omitempty"`
	// Query is the condition on the query, as name or name=value; the first choice whose condition holds counts.
	Query string `json:"query,omitempty"`
	// Delegated choices are those of a deployment with the Matrix Authentication Service, where they differ.
	Delegated bool `json:"delegated,omitempty"`
	// Example is a path for which the choice is made.
	Example string `json:"example"`
}

// Read reads the file.
func Read(path string) (*Table, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Table{}
	if err := json.Unmarshal(text, t); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}
