package translate

import "testing"

// What a dying worker had in hand is sent again where it only reads, whatever else its route takes, and nowhere else.
func TestReadsAreSentAgain(t *testing.T) {
	for _, name := range caseNames(t) {
		for _, routes := range Translate(planOf(t, name)).Routes {
			for _, host := range routes.VirtualHosts {
				reads := map[string]bool{"GET": true, "HEAD": true}
				for method, branch := range host.GetMatcher().GetMatcherTree().GetExactMatchMap().GetMap() {
					checkRetries(t, name+": "+method, branch.GetMatcher(), reads[method])
					delete(reads, method)
				}
				if host.GetMatcher().GetMatcherTree().GetExactMatchMap() != nil && len(reads) > 0 {
					t.Errorf("%s: no branch for %v", name, reads)
				}
				checkRetries(t, name+": others", host.GetMatcher().GetOnNoMatch().GetMatcher(), false)
			}
		}
	}
}

func checkRetries(t *testing.T, where string, byPath *matcher, want bool) {
	t.Helper()
	for prefix, leaf := range byPath.GetMatcherTree().GetPrefixMatchMap().GetMap() {
		for _, r := range routesOf(t, leaf) {
			if got := r.GetRoute().GetRetryPolicy().GetRetryOn() == retryReads; r.GetRoute() != nil && got != want {
				t.Errorf("%s %s %s: sent again: %t", where, prefix, r.GetName(), got)
			}
		}
	}
}
