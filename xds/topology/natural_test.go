package topology

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNaturally(t *testing.T) {
	for name, sorted := range map[string][]string{
		"numbers go by value":           {"sync-2", "sync-10", "sync-100"},
		"a name before its longer form": {"sync", "sync-1", "sync-1-a"},
		"zeros in front count last":     {"sync-01", "sync-1", "sync-02"},
		"numbers of any length":         {"w99999999999999999998", "w99999999999999999999", "w100000000000000000000"},
		"numbers before letters":        {"1", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			got := slices.Clone(sorted)
			slices.Reverse(got)
			slices.SortFunc(got, naturally)
			if diff := cmp.Diff(sorted, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
