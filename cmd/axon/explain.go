package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"axon/affinity"
	"axon/server"
	"axon/server/identity"
	"axon/xds/explain"
	"axon/xds/plan"
)

// secret stands for what must not be printed: the key is then a token.
const secret = "(the token)"

func explainCommand() *cobra.Command {
	var path, user, source string
	var headers []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain METHOD URL",
		Short: "Say where a request goes, and why",
		Long: `Decides on a request as Envoy would: the route, the group, what keeps its like together, the key that is hashed, and the
worker chosen while all are healthy, but for those that are drained (by state.dir). Nothing is sent. The URL may be a
path; quote it, because of "?" and "&".`,
		Example: `  axon explain GET '/_matrix/client/v3/sync?since=s1' --user @alice:example.org
  axon explain PUT '/_matrix/client/v3/rooms/!abc:example.org/send/m.room.message/1'
  axon explain PUT /_matrix/federation/v1/send/1 -H 'Authorization: X-Matrix origin="remote.org",key="ed25519:1",sig="x"'`,
		Args: usage(methodAndURL),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := requestOf(args[0], args[1], user, source, headers)
			if err != nil {
				return usageError{err}
			}
			d, err := load(path)
			if err != nil {
				return err
			}
			if err := d.drain(); err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "warning: %v\n", err)
			}
			r.Appservice = d.appservice(r)
			e := explain.Explain(d.plan, r)
			e.Target = redacted(e.Target)
			if strings.Contains(e.KeyFrom, "the token") && e.Key != affinity.UserKey(user) {
				e.Key = secret
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), e)
			}
			printExplanation(cmd.OutOrStdout(), e)
			return nil
		},
	}
	configFlag(cmd, &path)
	jsonFlag(cmd, &asJSON)
	cmd.Flags().StringVar(&user, "user", "", "the `@user:server` behind the token, as Axon would find it")
	cmd.Flags().StringVar(&source, "source", "", "the client's `address`, for synapse_admin and requests without a token")
	cmd.Flags().StringArrayVarP(&headers, "header", "H", nil, "a request header, `'Name: value'`; may be given several times")
	return cmd
}

func methodAndURL(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want METHOD and URL, as in: axon explain GET '/_matrix/client/v3/sync?since=s1'; got %d arguments", len(args))
	}
	return nil
}

func requestOf(method, url, user, source string, headers []string) (explain.Request, error) {
	r := explain.Request{Method: strings.ToUpper(method), Target: target(url), User: user, Header: http.Header{}}
	if user != "" && affinity.UserKey(user) == "" {
		return r, fmt.Errorf("--user %q: not a user ID like @alice:example.org", user)
	}
	if source != "" {
		var err error
		if r.Source, err = netip.ParseAddr(source); err != nil {
			return r, fmt.Errorf("--source %q: not an IP address", source)
		}
	}
	if host := hostOf(url); host != "" {
		r.Header.Set("Host", host)
	}
	for _, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return r, fmt.Errorf("-H %q: write 'Name: value'", h)
		}
		r.Header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return r, nil
}

// appservice is the group of the appservice whose token the request has.
func (d deployment) appservice(r explain.Request) plan.GroupName {
	authorization, present := r.Header["Authorization"]
	token, _ := identity.FromRequest(identity.Header{Value: strings.Join(authorization, ","), Present: present}, r.Target)
	return plan.GroupName(server.AppservicesOf(d.topology)[sha256.Sum256([]byte(token))].Group)
}

var schemeAndHost = regexp.MustCompile(`^[a-z]+://([^/?#]*)`)

// hostOf is the host of a URL, empty for a path.
func hostOf(url string) string {
	if m := schemeAndHost.FindStringSubmatch(url); m != nil {
		return m[1]
	}
	return ""
}

// target is the raw path and query of a URL: nothing is decoded, as nothing is on the way through Envoy.
func target(url string) string {
	url, _, _ = strings.Cut(schemeAndHost.ReplaceAllString(url, ""), "#")
	if !strings.HasPrefix(url, "/") {
		url = "/" + url
	}
	return url
}

func printExplanation(out io.Writer, e explain.Explanation) {
	rows := []table.Row{{"route", e.Route}}
	if e.Status != 0 {
		rows = append(rows, table.Row{"answer", fmt.Sprintf("%d, by Envoy itself", e.Status)})
	} else {
		rows = append(rows,
			table.Row{"group", fmt.Sprintf("%s (%s)", e.Group, e.Because)},
			table.Row{"cluster", e.Cluster},
			table.Row{"affinity", e.Affinity},
		)
		if e.KeyFrom != "" {
			rows = append(rows, table.Row{"key", fmt.Sprintf("%s, from %s", orDash([]string{e.Key}), e.KeyFrom)})
		}
		rows = append(rows, table.Row{"worker", e.Listed()}, table.Row{"fallback", orDash(append(slices.Clone(e.Stead), e.Fallback))})
	}
	if len(e.Drained) > 0 {
		rows = append(rows, table.Row{"drained", strings.Join(e.Drained, " ")})
	}
	printTable(out, e.Method+" "+e.Target, nil, rows)
}

var tokenInQuery = regexp.MustCompile(`([?&]access_token=)[^&]*`)

// redacted keeps a token out of what may end in a ticket.
func redacted(target string) string { return tokenInQuery.ReplaceAllString(target, "${1}…") }
