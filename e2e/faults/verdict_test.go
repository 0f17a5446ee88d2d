package faults

import (
	"testing"
	"time"

	"axon/e2e/faults/standin/ask"
)

// TestWhatMayNotBeIsCounted tries the judge: each case is one request, and what the window excuses.
func TestWhatMayNotBeIsCounted(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	read, write, strict := &kinds[0], &kinds[6], &kinds[9]
	alice := about{user: "@alice:example.org", token: "syt_native"}
	opaquely := about{user: "@alice:example.org", token: "mat_opaque"}
	answered, failed := answer{200, "sync-1", true}, answer{status: 503}
	executed := []done{{"sync-1.1", ask.Arrived}, {"sync-1.1", ask.Executed}}
	arrived := executed[:1]
	death := window{killed: []death{{"sync-1.1", at(5)}}}

	tests := map[string]struct {
		record
		did    []done
		window window
		want   string
	}{
		"a read that is answered at home":                             {record{kind: read, about: alice, answer: answered}, executed, window{}, ""},
		"a read that fails":                                           {record{kind: read, about: alice, answer: failed}, nil, window{}, "1 reads lost"},
		"a read that fails with a worker":                             {record{kind: read, about: alice, answer: failed}, arrived, death, "1 reads lost"},
		"a write that is done":                                        {record{kind: write, answer: answered}, executed, window{}, ""},
		"a write that fails":                                          {record{kind: write, answer: failed}, nil, window{}, "1 writes lost"},
		"a write that is answered and not done":                       {record{kind: write, answer: answered}, arrived, window{}, "1 writes lost"},
		"a write that is done twice":                                  {record{kind: write, answer: answered}, append(executed, executed...), window{}, "1 writes doubled"},
		"a write that a killed worker had in hand":                    {record{kind: write, answer: failed}, arrived, death, ""},
		"a write that fails after the death":                          {record{kind: write, answer: failed, began: at(6), ended: at(7)}, nil, death, "1 writes lost"},
		"a write that fails long before the death":                    {record{kind: write, answer: failed, began: at(1), ended: at(2)}, nil, death, "1 writes lost"},
		"a write that another worker failed when one died":            {record{kind: write, answer: failed}, []done{{"sync-2.1", ask.Arrived}}, death, "1 writes lost"},
		"what only the dead may serve":                                {record{kind: strict, answer: failed}, nil, window{gone: map[string][]span{strict.strict: {{from: at(1)}}}}, ""},
		"what only the dead may serve, before":                        {record{kind: strict, answer: failed}, nil, window{gone: map[string][]span{strict.strict: {{from: at(11)}}}}, "1 writes lost"},
		"a poll that is cut":                                          {record{kind: &poll, about: alice, answer: answer{}}, arrived, window{}, "1 polls cut"},
		"a poll that is cut with envoy":                               {record{kind: &poll, about: alice, answer: answer{}}, arrived, window{closed: []span{{at(3), at(6)}}}, ""},
		"a poll that is cut after envoy is back":                      {record{kind: &poll, about: alice, began: at(7), ended: at(8)}, arrived, window{closed: []span{{at(3), at(6)}}}, "1 polls cut"},
		"a user elsewhere":                                            {record{kind: read, about: alice, answer: answer{200, "sync-2", true}}, executed, window{}, "1 moved"},
		"a dead worker's user elsewhere":                              {record{kind: read, about: alice, answer: answer{200, "sync-2", true}}, executed, window{movers: map[string]bool{"sync-1": true}}, ""},
		"a user on a new worker":                                      {record{kind: read, about: alice, answer: answer{200, "sync-4", true}}, executed, window{guests: map[string]bool{"sync-4": true}}, ""},
		"an opaque token elsewhere while nobody can say whose it is":  {record{kind: read, about: opaquely, answer: answer{200, "sync-2", false}}, executed, window{blind: true}, ""},
		"an opaque token elsewhere":                                   {record{kind: read, about: opaquely, answer: answer{200, "sync-2", false}}, executed, window{}, "1 moved"},
		"a native token elsewhere while nobody can say whose that is": {record{kind: read, about: alice, answer: answer{200, "sync-2", false}}, executed, window{blind: true}, "1 moved"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := tt.record
			r.id = "r1"
			if r.began.IsZero() {
				r.began, r.ended = at(1), at(5)
			}
			s := &site{ledger: newLedger(""), homes: map[string]string{"syncs of @alice:example.org": "sync-1"}}
			s.ledger.did[r.id] = tt.did
			if got := tt.window.verdict(tt.window.count(s, []record{r})); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
