package yamlfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"axon/yamlfile"
)

type config struct {
	Name      string            `yaml:"name"`
	Port      uint16            `yaml:"port"`
	Ratio     float64           `yaml:"ratio"`
	Run       bool              `yaml:"run"`
	Every     time.Duration     `yaml:"every"`
	Listeners []listener        `yaml:"listeners"`
	Labels    map[string]string `yaml:"labels"`
	Limits    limits            `yaml:"limits"`
	Service   *listener         `yaml:"service"`
	Any       any               `yaml:"any"`
	Level     level             `yaml:"level"`
	Hidden    string            `yaml:"-"`
	Inlined   `yaml:",inline"`
}

type listener struct {
	Address string `yaml:"address"`
}

type limits struct {
	Low  int `yaml:"low"`
	High int `yaml:"high"`
}

type Inlined struct {
	Groups map[string][]string `yaml:"groups"`
}

type level string

func (l *level) UnmarshalText(text []byte) error {
	if string(text) != "debug" && string(text) != "info" {
		return errors.New("want debug or info")
	}
	*l = level(text)
	return nil
}

func parse(t *testing.T, data string) *yamlfile.File {
	t.Helper()
	f, err := yamlfile.Parse("axon.yaml", []byte(data))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDecodeStrict(t *testing.T) {
	for name, tt := range map[string]struct {
		yaml string
		want config
		err  string
	}{
		"an empty file leaves everything as it was":         {yaml: "", want: config{Limits: limits{Low: 1}}},
		"a file of comments is empty":                       {yaml: "# nothing\n", want: config{Limits: limits{Low: 1}}},
		"a document marker alone is empty":                  {yaml: "---\n", want: config{Limits: limits{Low: 1}}},
		"every kind of value":                               {yaml: everyKind, want: everyKindWant},
		"lines may end as Windows ends them":                {yaml: "name: a\r\nport: 2\r\n", want: config{Name: "a", Port: 2, Limits: limits{Low: 1}}},
		"a byte order mark is no key":                       {yaml: "\ufeffname: a\n", want: config{Name: "a", Limits: limits{Low: 1}}},
		"a number is text where text is wanted":             {yaml: "name: 1.20\n", want: config{Name: "1.20", Limits: limits{Low: 1}}},
		"null is nothing, and leaves a struct its defaults": {yaml: "name:\nlimits:\nservice: ~\n", want: config{Limits: limits{Low: 1}}},
		"an unknown key": {
			yaml: "name: a\nlisteners:\n  - addrss: b\n",
			err:  `axon.yaml:3:5: listeners[0]: unknown key "addrss", did you mean "address"?`,
		},
		"an unknown key like no other": {yaml: "completely: different\n", err: `axon.yaml:1:1: unknown key "completely"`},
		"a key twice": {
			yaml: "name: a\nport: 1\nname: b\n",
			err:  `axon.yaml:3:1: key "name" is given twice, first in line 1`,
		},
		"a key twice in a map": {yaml: "labels: {a: x, a: y}\n", err: `axon.yaml:1:16: labels: key "a" is given twice, first in line 1`},
		"all faults at once": {
			yaml: "nme: a\nport: 65536\nratio: high\nrun: yes\nevery: often\nlisteners: a\nlabels: [a]\nlimits: 3\nlevel: loud\nname: {a: b}\n",
			err: `axon.yaml:1:1: unknown key "nme", did you mean "name"?
axon.yaml:2:7: port: want a whole number from 0 to 65535, not this number
axon.yaml:3:8: ratio: want a number, not this text
axon.yaml:4:6: run: want true or false, not this text
axon.yaml:5:8: every: time: invalid duration "often"
axon.yaml:6:12: listeners: want a list, not this text
axon.yaml:7:9: labels: want keys and values, not a list
axon.yaml:8:9: limits: want keys and values, not this number
axon.yaml:9:8: level: want debug or info
axon.yaml:10:7: name: want text, not keys and values`,
		},
		"true is not text":         {yaml: "name: true\n", err: `axon.yaml:1:7: name: want text, not true or false`},
		"a list where keys belong": {yaml: "- a\n", err: `axon.yaml:1:1: want keys and values, not a list`},
		"a hidden field is no key": {yaml: "hidden: a\n", err: `axon.yaml:1:1: unknown key "hidden"`},
		"aliases of aliases": {
			yaml: "a: &a {<<: [*a, *a, *a]}\nany: [*a]\n",
			err:  `axon.yaml:1:1: unknown key "a"`,
		},
		"an anchor that holds itself": {
			yaml: "any: &a [*a]\n",
			err:  "axon.yaml:1:10: nested too deeply, or repeated too often by aliases",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := config{Limits: limits{Low: 1}}
			err := parse(t, tt.yaml).DecodeStrict(&got)
			if diff := cmp.Diff(tt.err, message(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

const everyKind = `
name: "a: b"
port: 0x1F90
ratio: 2
run: true
every: 90s
listeners:
  - &one {address: "127.0.0.1:1"}
  - *one
  - <<: *one
    address: |
      block
labels:
  <<: [{a: first, b: one}, {a: second, c: two}]
  b: own
limits: {high: -3}
service: {address: s}
any: {list: [1, two, null, {deep: true}], text: "x"}
level: debug
groups:
  sync: [sync-*, !!str other]
`

var everyKindWant = config{
	Name: "a: b", Port: 8080, Ratio: 2, Run: true, Every: 90 * time.Second,
	Listeners: []listener{{"127.0.0.1:1"}, {"127.0.0.1:1"}, {"block\n"}},
	Labels:    map[string]string{"a": "first", "b": "own", "c": "two"},
	Limits:    limits{Low: 1, High: -3},
	Service:   &listener{"s"},
	Any:       map[string]any{"list": []any{uint64(1), "two", nil, map[string]any{"deep": true}}, "text": "x"},
	Level:     "debug",
	Inlined:   Inlined{Groups: map[string][]string{"sync": {"sync-*", "other"}}},
}

func TestDecode(t *testing.T) {
	for name, tt := range map[string]struct {
		yaml string
		want config
		err  string
	}{
		"other keys are let be":             {yaml: "name: a\nworker_types: [x]\n", want: config{Name: "a"}},
		"the last of two equal keys counts": {yaml: "name: a\nname: b\n", want: config{Name: "b"}},
		"yes is true as in YAML 1.1":        {yaml: "run: yes\n", want: config{Run: true}},
		"a quoted yes is text":              {yaml: "run: 'yes'\n", err: "axon.yaml:1:6: run: want true or false, not this text"},
		"a wrong type is a fault":           {yaml: "port: [1]\n", err: "axon.yaml:1:7: port: want a whole number from 0 to 65535, not a list"},
	} {
		t.Run(name, func(t *testing.T) {
			var got config
			err := parse(t, tt.yaml).Decode(&got)
			if diff := cmp.Diff(tt.err, message(err)); diff != "" {
				t.Fatalf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, got); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeOfASecondFileReplacesWhatItHas(t *testing.T) {
	got := config{}
	for _, data := range []string{
		"name: a\nlabels: {a: x}\nservice: {address: s}\nlisteners: [{address: a}, {address: b}]\n",
		"labels: {b: y}\nservice: {}\nlisteners: [{}]\n",
	} {
		if err := parse(t, data).Decode(&got); err != nil {
			t.Fatal(err)
		}
	}
	want := config{Name: "a", Labels: map[string]string{"b": "y"}, Service: &listener{}, Listeners: []listener{{}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestParseFaults(t *testing.T) {
	for name, tt := range map[string]struct{ yaml, err string }{
		"an open quote":     {"name: \"a\n", "axon.yaml:1:7: not valid YAML: could not find end character of double-quoted text"},
		"a tab":             {"a:\n\tb: c\n", "axon.yaml:2:1: not valid YAML: found character '\t' that cannot start any token"},
		"two documents":     {"a: b\n---\nc: d\n", "axon.yaml:3:1: a second YAML document; a configuration file holds one"},
		"an unknown anchor": {"a: *b\n", "axon.yaml:1:4: alias of an anchor that is not there; put quotes around text that begins with *"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := yamlfile.Parse("axon.yaml", []byte(tt.yaml))
			if diff := cmp.Diff(tt.err, message(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var fault *yamlfile.Error
			if !errors.As(err, &fault) || fault.Position.Line == 0 {
				t.Errorf("%#v has no place", err)
			}
		})
	}
}

func TestParseFaultsDoNotQuoteTheFile(t *testing.T) {
	for _, data := range []string{
		"password: hunter2\n\tbroken: [\n", "password: \"hunter2\n", "password: 'hunter2\n", "password: hunter2: x\n", "password: [hunter2\n",
		"password: {hunter2\n", "password: hunter2\n  more: x\n", "password: *hunter2\n", "password: @hunter2\n", "- hunter2\nb: c\n",
	} {
		f, err := yamlfile.Parse("axon.yaml", []byte(data))
		if err == nil {
			err = f.DecodeStrict(&struct {
				Password int `yaml:"password"`
			}{})
		}
		if got := message(err); got == "" || strings.Contains(got, "hunter2") {
			t.Errorf("%q: got %q", data, got)
		}
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.yaml")
	if _, err := yamlfile.Read(path); !errors.Is(err, os.ErrNotExist) || err.Error() != path+": no such file or directory" {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := yamlfile.Read(path)
	if err != nil || f.Name != path || !f.Has("a") {
		t.Errorf("got %v, %v", f, err)
	}
}

func TestAt(t *testing.T) {
	f := parse(t, "# a comment\nname: a\nlisteners:\n  - address: b\n    x: [1, {y: 2}]\n  - &c {address: d}\nmerged:\n  <<: *c\n")
	for name, tt := range map[string]struct {
		path []any
		want string
		has  bool
	}{
		"the file as a whole":                    {nil, "axon.yaml", true},
		"a key":                                  {[]any{"name"}, "axon.yaml:2:1", true},
		"an item":                                {[]any{"listeners", 0}, "axon.yaml:4:5", true},
		"a key of an item":                       {[]any{"listeners", 0, "x"}, "axon.yaml:5:5", true},
		"an item of a flow list":                 {[]any{"listeners", 0, "x", 1, "y"}, "axon.yaml:5:13", true},
		"an item behind an anchor":               {[]any{"listeners", 1, "address"}, "axon.yaml:6:9", true},
		"a merged key stands where it came from": {[]any{"merged", "address"}, "axon.yaml:6:9", true},
		"no such key, so what it should be in":   {[]any{"listeners", 0, "port"}, "axon.yaml:4:5", false},
		"no such item":                           {[]any{"listeners", 7, "port"}, "axon.yaml:3:1", false},
		"no such key at the top":                 {[]any{"synapse", "config", 0}, "axon.yaml", false},
		"a key of text":                          {[]any{"name", "x"}, "axon.yaml:2:1", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := f.At(tt.path...).String(); got != tt.want {
				t.Errorf("At: got %s, want %s", got, tt.want)
			}
			if got := f.Has(tt.path...); got != tt.has {
				t.Errorf("Has: got %t", got)
			}
		})
	}
}

func TestANilFileIsAnEmptyOne(t *testing.T) {
	var f *yamlfile.File
	if err := f.Decode(&config{}); err != nil || f.Has("a") || f.At("a") != (yamlfile.Position{}) {
		t.Errorf("got %v, %t, %v", err, f.Has("a"), f.At("a"))
	}
	if got := f.Errorf([]any{"a"}, "port %d", 0).Error(); got != "port 0" {
		t.Errorf("got %q", got)
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzDecode looks for files that take Axon down.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		everyKind, "", "---\n...\n", "a: &a [*a]\n", "<<: {a: b}\n", "? [a]\n: b\n", "!!binary x", "%YAML 1.1\n---\na: b\n",
		"a: |\n  b\n c: d", "{a: b, a: [c}", "\t", "a: 'b\n", "<<: *a", "- - - a", "any: &x {<<: *x}\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := yamlfile.Parse("f", data)
		if err != nil {
			return
		}
		var strict, lenient config
		var any map[string]any
		_ = file.DecodeStrict(&strict)
		_ = file.Decode(&lenient)
		_ = file.Decode(&any)
		file.At("any", 0, "a", 0)
	})
}
