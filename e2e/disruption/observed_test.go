package disruption

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"axon/xds/plan"
)

// mostOfMean is how many times the mean a worker's share of all users may be.
const mostOfMean = 1.05

// observed is what happened. The sweeps give the worker of each user.
type observed struct {
	balance plan.Balance
	workers []string
	leaver  string
	shares  map[string]float64 // of all users there can be

	start, dead, alive, removed, withoutMain, elsewhere []string

	mispredicted int
	retries      int // while the leaver was dead and Envoy did not know
	strayed      int // requests of users of others, between the sweeps, that another worker served
}

func (o *observed) assert(t *testing.T) {
	t.Helper()
	for what, n := range map[string]int{
		"was not served by the worker that package ring gives":         o.mispredicted,
		"was elsewhere when the dead worker had come back":             o.moved(o.alive, ""),
		"was elsewhere when main was dead":                             o.moved(o.withoutMain, ""),
		"was elsewhere when a worker had another address":              o.moved(o.elsewhere, ""),
		"was elsewhere when a worker was taken out than when it died":  differ(o.dead, o.removed),
		"was served by a worker that was dead":                         count(o.dead)[o.leaver],
		"was served by a worker that was taken out of the plan":        count(o.removed)[o.leaver],
		"was served by main, although there were workers for everyone": count(o.start)[mainName],
	} {
		if n != 0 {
			t.Errorf("%d users: each %s", n, what)
		}
	}
	if n := o.moved(o.dead, o.leaver); n > mostMoved[o.balance] {
		t.Errorf("%d of %d users of the workers that stayed moved", n, o.ofOthers())
	}
	if o.strayed > 0 && mostMoved[o.balance] == 0 {
		t.Errorf("%d requests of users of the workers that stayed went elsewhere for a moment", o.strayed)
	}
	if o.retries == 0 {
		t.Error("no request was sent again when the worker died")
	}
	o.assertEven(t)
}

// assertEven holds the shares to their limit, and the numbers of these users to their shares. The numbers themselves can't be
// held to the limit: with 20,000 users on 8 workers the standard deviation alone is 1.9 %.
func (o *observed) assertEven(t *testing.T) {
	t.Helper()
	counts := count(o.start)
	for name, share := range o.shares {
		if ratio := share * float64(len(o.workers)); ratio > mostOfMean {
			t.Errorf("%s: the share is %.3f of the mean", name, ratio)
		}
		expected, deviation := share*users, math.Sqrt(users*share*(1-share))
		if n := counts[name]; math.Abs(float64(n)-expected) > 4*deviation+1 {
			t.Errorf("%s: %d users, where its share lets expect %.0f ± %.0f", name, n, expected, deviation)
		}
	}
}

func (o *observed) line() string {
	largest := 0.0
	for _, share := range o.shares {
		largest = max(largest, share*float64(len(o.workers)))
	}
	all, less := o.numbers(o.start), o.numbers(o.dead)
	fields := []string{
		string(o.balance), fmt.Sprint(len(o.workers)), between(all), fmt.Sprintf("%.3f", ofMean(all)), fmt.Sprintf("%.3f", largest),
		fmt.Sprintf("%d of %d", o.moved(o.dead, o.leaver), o.ofOthers()), between(less),
		fmt.Sprint(o.moved(o.alive, "")), fmt.Sprint(o.moved(o.withoutMain, "")), fmt.Sprint(o.moved(o.elsewhere, "")),
	}
	return "| " + strings.Join(fields, " | ") + " |"
}

// moved counts the users whom another worker serves than at the start, leaving out those of one worker.
func (o *observed) moved(now []string, except string) (n int) {
	for i, worker := range o.start {
		if worker != now[i] && worker != except {
			n++
		}
	}
	return n
}

// ofOthers is how many users the workers had that stayed.
func (o *observed) ofOthers() int { return users - count(o.start)[o.leaver] }

// numbers of users of each worker that has any, in rising order.
func (o *observed) numbers(workers []string) (numbers []int) {
	for _, n := range count(workers) {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers
}

func between(rising []int) string { return fmt.Sprintf("%d – %d", rising[0], rising[len(rising)-1]) }

func ofMean(rising []int) float64 {
	return float64(rising[len(rising)-1]*len(rising)) / users
}

func count(workers []string) map[string]int {
	counts := map[string]int{}
	for _, worker := range workers {
		counts[worker]++
	}
	return counts
}

func differ(a, b []string) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}
