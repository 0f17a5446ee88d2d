package identity

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFromRequest(t *testing.T) {
	type found struct{ Token, UserID string }
	header := func(v string) Header { return Header{Value: v, Present: true} }
	tests := map[string]struct {
		authorization Header
		path          string
		want          found
	}{
		"a bearer header is the usual way":                 {header("Bearer syt_YQ_b_c"), "/sync?since=1", found{"syt_YQ_b_c", ""}},
		"access_token in the query is the old way":         {Header{}, "/sync?since=1&access_token=abc", found{"abc", ""}},
		"the query's token is unescaped":                   {Header{}, "/sync?access%5Ftoken=a%2Bb", found{"a+b", ""}},
		"Twisted splits at semicolons too":                 {Header{}, "/sync?a=b;access_token=abc", found{"abc", ""}},
		"the first of two tokens in the query counts":      {Header{}, "/sync?access_token=a&access_token=b", found{"a", ""}},
		"header and query together are refused by Synapse": {header("Bearer abc"), "/sync?access_token=abc", found{}},
		"even an empty token in the query counts as one":   {header("Bearer abc"), "/sync?access_token=", found{}},
		"access_token without = is no parameter":           {header("Bearer abc"), "/sync?access_token", found{"abc", ""}},
		"an empty header hides the query's token":          {header(""), "/sync?access_token=abc", found{}},
		"bearer in lower case is refused by Synapse":       {header("bearer abc"), "/", found{}},
		"two words after Bearer are refused by Synapse":    {header("Bearer abc def"), "/", found{}},
		"two spaces after Bearer are refused by Synapse":   {header("Bearer  abc"), "/", found{}},
		"Bearer alone is no token":                         {header("Bearer "), "/", found{}},
		"a federation request has no token":                {header(`X-Matrix origin="a"`), "/", found{}},
		"nothing is no token":                              {Header{}, "/", found{}},
		"a token is ASCII":                                 {header("Bearer ä"), "/", found{}},
		"a token has no control characters":                {Header{}, "/?access_token=a%00b", found{}},
		"a token beyond any length is none":                {header("Bearer " + strings.Repeat("a", 5000)), "/", found{}},
		"an application service says as whom it acts":      {header("Bearer as"), "/?user_id=%40_irc_bob%3Ahs", found{"as", "@_irc_bob:hs"}},
		"two Authorization headers, as Envoy joins them":   {header("Bearer abc,Bearer def"), "/", found{}},
		"one of them is another's":                         {header("Basic abc,Bearer def"), "/", found{}},
		"a token of 16 KiB":                                {header("Bearer " + strings.Repeat("a", 16<<10)), "/", found{}},
		"a token of 16 KiB in the query":                   {Header{}, "/?access_token=" + strings.Repeat("%61", 16<<10), found{}},
		"a token in the query is ASCII":                    {Header{}, "/?access_token=%C3%A4", found{}},
		"a token of one line":                              {Header{}, "/?access_token=a%0D%0AX-Evil:%20b", found{}},
		"a token that is wholly percent-encoded":           {Header{}, "/?access_token=%73%79%74%5F%61", found{"syt_a", ""}},
		"percent-encoding is undone once":                  {Header{}, "/?access_token=%2561", found{"%61", ""}},
		"a badly escaped token stays as it is":             {Header{}, "/?access_token=%zz", found{"%zz", ""}},
		"a header is not percent-decoded":                  {header("Bearer %61"), "/", found{"%61", ""}},
		"a tab is no space":                                {header("Bearer\tabc"), "/", found{}},
		"a user_id without a token is nothing":             {Header{}, "/?user_id=%40bob%3Ahs", found{}},
		"a user_id beyond any length is none":              {header("Bearer as"), "/?user_id=" + strings.Repeat("a", 300), found{"as", ""}},
		"a badly escaped user_id stays as it is":           {header("Bearer as"), "/?user_id=%zz", found{"as", "%zz"}},
		"the path ends at the first question mark":         {Header{}, "/access_token=a?b=c?access_token=d", found{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			token, userID := FromRequest(test.authorization, test.path)
			if diff := cmp.Diff(test.want, found{token, userID}); diff != "" {
				t.Errorf("token and user_id (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzFromRequest(f *testing.F) {
	f.Add("Bearer syt_YQ_b_c", true, "/sync?since=1")
	f.Add("", false, "/sync?access_token=abc&user_id=%40a%3Ab")
	f.Add("Bearer a", true, "?a=b;access%5ftoken=c;;&=&%")
	f.Fuzz(func(t *testing.T, authorization string, present bool, path string) {
		token, userID := FromRequest(Header{authorization, present}, path)
		if token != "" && !validToken(token) || len(userID) > maxUserID {
			t.Fatalf("token of %d bytes, user_id of %d bytes: not valid", len(token), len(userID))
		}
		if token == "" && userID != "" {
			t.Fatal("a user_id without a token")
		}
		if present && token != "" && authorization != "Bearer "+token {
			t.Fatal("the token is not the whole rest of the header")
		}
	})
}

// FuzzParameter holds the scanner against net/url, which knows no semicolons.
func FuzzParameter(f *testing.F) {
	f.Add("a=b&access_token=c")
	f.Add("access%5ftoken=%63+d&access_token=")
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return // Python's rules for broken escapes are others
		}
		value, _ := parameter(query, "access_token")
		if want := values.Get("access_token"); value != want && !valueless(query) {
			t.Fatalf("parameter of %q: %q, but net/url has %q", query, value, want)
		}
	})
}

// valueless says whether a pair of the query has no "=": Twisted ignores it, net/url gives it an empty value.
func valueless(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if !strings.Contains(pair, "=") {
			return true
		}
	}
	return false
}
