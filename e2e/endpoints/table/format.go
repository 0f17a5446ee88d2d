package table

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Format gives the file's text: always the same for the same table, with a line for each key of an endpoint, so that the
// difference between two versions of Synapse can be read.
func (t *Table) Format() ([]byte, error) {
	w := &writer{}
	w.line("{")
	w.field("  ", "about", t.About, ",")
	w.field("  ", "synapse", t.Synapse, ",")
	w.line(`  "streams": {`)
	names := slices.Sorted(maps.Keys(t.Streams))
	for i, name := range names {
		w.field("    ", name, t.Streams[name], comma(i, len(names)))
	}
	w.line("  },")
	w.line(`  "endpoints": [`)
	for i, e := range t.Endpoints {
		w.line("    {")
		w.fields("      ", e)
		w.line("    }" + comma(i, len(t.Endpoints)))
	}
	w.line("  ]")
	w.line("}")
	return w.text.Bytes(), w.err
}

type writer struct {
	text bytes.Buffer
	err  error
}

func (w *writer) line(text string) { w.text.WriteString(text + "\n") }

// field writes a key and its value on one line.
func (w *writer) field(indent, key string, value any, end string) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // (?P<name> should be readable
	if err := encoder.Encode(value); err != nil {
		w.err = err
	}
	w.line(indent + `"` + key + `": ` + strings.TrimSpace(b.String()) + end)
}

// fields writes the fields of a struct by their tags.
func (w *writer) fields(indent string, of any) {
	v := reflect.ValueOf(of)
	var shown []int
	for i := range v.NumField() {
		if _, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); options != "omitempty" || !v.Field(i).IsZero() {
			shown = append(shown, i)
		}
	}
	for n, i := range shown {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		w.field(indent, key, v.Field(i).Interface(), comma(n, len(shown)))
	}
}

// comma stands after all but the last.
func comma(i, n int) string {
	if i == n-1 {
		return ""
	}
	return ","
}
