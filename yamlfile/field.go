package yamlfile

import (
	"reflect"
	"strconv"
	"strings"
)

// fieldsOf gives the fields of a struct by their keys: the name in the yaml tag, or else the field's in lower case.
// Fields of an inlined struct count as its own.
func fieldsOf(v reflect.Value) map[string]reflect.Value {
	fields := map[string]reflect.Value{}
	for i := range v.NumField() {
		sf := v.Type().Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for k, f := range fieldsOf(v.Field(i)) {
				fields[k] = f
			}
		case name == "-" || !sf.IsExported():
		case name == "":
			fields[strings.ToLower(sf.Name)] = v.Field(i)
		default:
			fields[name] = v.Field(i)
		}
	}
	return fields
}

// suggest names the known key that a misspelt one is nearest to, ", did you mean …?", if any is near.
func suggest(name string, known map[string]reflect.Value) string {
	best, nearest := "", min(3, (len(name)+1)/2)
	for k := range known {
		if d := distance(name, k); d < nearest || d == nearest && best != "" && k < best {
			best, nearest = k, d
		}
	}
	if best == "" {
		return ""
	}
	return ", did you mean " + strconv.Quote(best) + "?"
}

// distance is Levenshtein's: the number of letters to add, drop or change.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
