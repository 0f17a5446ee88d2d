package plan

import (
	"regexp"
	"strings"

	"axon/xds/topology"
)

// role is a job that a worker's name speaks of. Names are compared as words: "matrix-synapse-worker-sync-0" is "matrix
// synapse worker sync 0". A word that one role has taken is gone for those after it.
type role struct {
	words *regexp.Regexp
	of    []GroupName // none: background work, which no client asks for
}

// roles are the names that Synapse's documentation, matrix-docker-ansible-deploy, ess-helm and blogs give workers.
var roles = []role{
	{words: words(`(federation|fed) senders?|pushers?|appservices?|background|media cache`)},
	{words: words(`initial (sync|synchrotron)s?|(sync|synchrotron) initial|initial`), of: []GroupName{InitialSync}},
	{words: words(`sync|syncs|syncer|synchrotrons?|sliding`), of: []GroupName{Sync}},
	{words: words(`(federation|fed) (inbound|receiver)`), of: []GroupName{FederationInbound}},
	{words: words(`(federation|fed) readers?`), of: []GroupName{FederationReader}},
	{words: words(`federation|fed`), of: []GroupName{FederationInbound, FederationReader}},
	{words: words(`client readers?|clientreader|client|reader`), of: []GroupName{ClientReader}},
	{words: words(`event (creator|sender)s?|rooms?`), of: []GroupName{EventCreator}},
	{words: words(`login|logins|registration|register|auth`), of: []GroupName{Login}},
	{words: words(`sso|oidc|saml|cas`), of: []GroupName{SSO}},
	{words: words(`media (repository|repo)|media`), of: []GroupName{Media}},
	{words: words(`user (dir|directory)|userdir`), of: []GroupName{UserDirectory}},
}

// neutral words say nothing of a job: a worker whose name has no other may do all.
var neutral = words(`generic|workers?|matrix|synapse|homeserver|app|[0-9]+|[a-z]`)

func words(alternatives string) *regexp.Regexp {
	return regexp.MustCompile(`\b(?:` + alternatives + `)\b`)
}

var (
	separators  = regexp.MustCompile(`[^a-z0-9]+`)
	digitBorder = regexp.MustCompile(`([a-z])([0-9])`)
)

// wordsOf writes a name as lower-case words, digits apart: "Sync_Worker2" is "sync worker 2".
func wordsOf(name string) string {
	return digitBorder.ReplaceAllString(separators.ReplaceAllString(strings.ToLower(name), " "), "$1 $2")
}

// calling is what a worker's name, or else its historical worker_app, says of its jobs.
type calling struct {
	groups     []GroupName
	background bool
	// text is what said so, empty where neither says anything.
	text string
}

func callingOf(w *topology.Worker) calling {
	app := strings.TrimPrefix(w.App, "synapse.app.")
	for _, text := range []string{w.Name, app} {
		if c := callingIn(text); c.text != "" {
			return c
		}
	}
	return calling{}
}

func callingIn(text string) (c calling) {
	left := wordsOf(text)
	for _, r := range roles {
		if !r.words.MatchString(left) {
			continue
		}
		left = r.words.ReplaceAllString(left, " ")
		c.text = text
		c.groups = append(c.groups, r.of...)
		c.background = c.background || r.of == nil
	}
	return c
}

// isNeutral says whether nothing in the name speaks against doing every job.
func isNeutral(name string) bool {
	return strings.TrimSpace(neutral.ReplaceAllString(wordsOf(name), " ")) == ""
}
