package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"axon/e2e/endpoints/table"
)

// ranked is an endpoint and when its pattern was registered, which the table does not say.
type ranked struct {
	Method, Regex string
	Rank          int
	compiled      *regexp.Regexp
}

// noneHidden is what lets the table say nothing of the order of its patterns. Synapse takes the first that matches, and
// answers 405 where that has not the method, whatever the later ones have. The error names the endpoints that this hides.
func noneHidden(answer []byte) error {
	var of struct{ Endpoints []ranked }
	if err := json.Unmarshal(answer, &of); err != nil {
		return err
	}
	methods := map[string]map[string]bool{}
	for i, e := range of.Endpoints {
		compiled, err := regexp.Compile(e.Regex)
		if err != nil {
			return err
		}
		of.Endpoints[i].compiled = compiled
		if methods[e.Regex] == nil {
			methods[e.Regex] = map[string]bool{}
		}
		methods[e.Regex][e.Method] = true
	}
	var faults []error
	for _, e := range of.Endpoints {
		paths, err := table.Examples(e.Regex)
		faults = append(faults, err)
		for _, path := range paths {
			for _, earlier := range of.Endpoints {
				if earlier.Rank < e.Rank && !methods[earlier.Regex][e.Method] && earlier.compiled.MatchString(path) {
					faults = append(faults, fmt.Errorf("%s %s: hidden by %s, which has no %s; the table cannot say that", e.Method, path, earlier.Regex, e.Method))
				}
			}
		}
	}
	return errors.Join(faults...)
}
