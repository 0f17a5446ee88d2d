package synapse

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Request is one line of a process's access log: what it answered.
type Request struct {
	Worker string // the process that served it; main, or a worker's name
	Method string
	Path   string // as it came, without the query
	Query  string // tokens in it are <redacted>
	Status int
	User   string // who authenticated, as @user:server, or empty; a server's name for federation
	Agent  string // User-Agent, - when there was none
	Client string // the address that Synapse believes the client has
	Cut    bool   // the client went away before the answer was complete
}

// accessLine is the line that synapse/http/site.py writes when a request is done.
var accessLine = regexp.MustCompile(`- synapse\.access\.https?\.\S+ - .* - (\S+) - \S+ - \{(.*?)\} Processed request: .*? ` +
	`-?\d+B (\d+)(!?) "(\S+) (\S+) [^"]*" "(.*)" \[\d+ dbevts\]$`)

// replication is what Synapse's processes ask of each other; no client's request is under it.
const replication = "/_synapse/replication/"

// Requests reads what every process has served so far, a process after the other. Left out are health checks, which
// Synapse does not log, and what the processes ask of each other. A line is written after its answer has been sent.
func (hs *Homeserver) Requests() []Request {
	hs.t.Helper()
	var all []Request
	for _, at := range hs.instances {
		text, err := os.ReadFile(at.logPath())
		if err != nil {
			hs.t.Fatalf("read the access log of %q: %v", at.Name, err)
		}
		requests, err := ParseLog(at.Name, string(text))
		if err != nil {
			hs.t.Fatal(err)
		}
		all = append(all, requests...)
	}
	return all
}

// ParseLog finds the requests of clients and servers in the log of one process, which it gives the name worker. A line of
// the access log that it does not understand is an error, the lines of other loggers are not.
func ParseLog(worker, text string) ([]Request, error) {
	var requests []Request
	for n, line := range strings.Split(text, "\n") {
		if !strings.Contains(line, " Processed request: ") || !strings.Contains(line, " - synapse.access.") {
			continue
		}
		found := accessLine.FindStringSubmatch(line)
		if found == nil {
			return nil, fmt.Errorf("log of %q, line %d: not an access line: %s", worker, n+1, line)
		}
		request := Request{Worker: worker, Client: found[1], Cut: found[4] != "", Method: found[5], Agent: found[7]}
		request.User = authenticated(found[2])
		request.Status, _ = strconv.Atoi(found[3]) // digits, by the pattern
		request.Path, request.Query, _ = strings.Cut(found[6], "?")
		if !strings.HasPrefix(request.Path, replication) {
			requests = append(requests, request)
		}
	}
	return requests, nil
}

// authenticated reads the requester between the braces: None, a user, or "admin|puppet".
func authenticated(requester string) string {
	user, _, _ := strings.Cut(requester, "|")
	if user == "None" {
		return ""
	}
	return user
}
