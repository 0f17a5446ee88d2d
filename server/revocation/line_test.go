package revocation

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The lines are those of Synapse 1.163.2, as they were seen on its Redis, but for names and tokens.
var parseTests = map[string]struct {
	line string
	want line
	err  error
}{
	"a logout names the token": {
		line: `RDATA caches master 19 ["get_user_by_access_token",["syt_YWxpY2U_x_y"],1795251474843]`,
		want: line{kind: token, instance: "master", to: 19, key: "syt_YWxpY2U_x_y", at: 1795251474843},
	},
	"a row of a batch has no position": {
		line: `RDATA caches generic-worker-1 batch ["get_user_by_access_token",["t"],1]`,
		want: line{kind: token, instance: "generic-worker-1", key: "t", at: 1},
	},
	"a token with characters that JSON escapes": {
		line: `RDATA caches master 1 ["get_user_by_access_token",["a\"\\\u00e9"],1]`,
		want: line{kind: token, instance: "master", to: 1, key: `a"\é`, at: 1},
	},
	"a locked user": {
		line: `RDATA caches master 7 ["get_user_locked_status",["@a:axon.test"],1]`,
		want: line{kind: user, instance: "master", to: 7, key: "@a:axon.test", at: 1},
	},
	"devices deleted, which is what a logout says under delegated authentication": {
		line: `RDATA caches master 16 ["get_device",["@alice:axon.test"],1795251474837]`,
		want: line{kind: user, instance: "master", to: 16, key: "@alice:axon.test", at: 1795251474837},
	},
	"a login names the device too, and ends nothing": {
		line: `RDATA caches master 5 ["get_device",["@alice:axon.test","YONEATIYZV"],1795251467362]`,
		want: line{instance: "master", to: 5, at: 1795251467362},
	},
	"no keys mean all of the cache": {
		line: `RDATA caches master 5 ["get_user_by_access_token",null,3]`,
		want: line{kind: everyone, instance: "master", to: 5, at: 3},
	},
	"no keys of a cache about users": {
		line: `RDATA caches master 5 ["get_device",null,3]`,
		want: line{kind: everyone, instance: "master", to: 5, at: 3},
	},
	"no keys of another cache": {
		line: `RDATA caches master 56 ["ignored_by",null,1795251497036]`,
		want: line{instance: "master", to: 56},
	},
	"another cache": {
		line: `RDATA caches master 17 ["count_e2e_one_time_keys",["@alice:axon.test"],1795251474837]`,
		want: line{instance: "master", to: 17},
	},
	"a column more, of some later Synapse": {
		line: `RDATA caches master 1 ["get_user_by_access_token",["t"],1,{"new":true}]`,
		want: line{kind: token, instance: "master", to: 1, key: "t", at: 1},
	},
	"white space, as another encoder may write it": {
		line: `RDATA caches master 1 ["get_user_by_access_token", [ "t" ], 1]`,
		want: line{kind: token, instance: "master", to: 1, key: "t", at: 1},
	},
	"a position": {
		line: `POSITION caches generic-worker-2 37 41`,
		want: line{kind: position, instance: "generic-worker-2", from: 37, to: 41},
	},
	"another stream's row":      {line: `RDATA device_lists master 21 ["@bob:synapse.test",false,false]`},
	"another stream's position": {line: `POSITION events master 21 21`},
	"a command without a word about caches": {
		line: `USER_SYNC caches2 @a:axon.test None start 5`,
	},
	"an unknown command about caches":  {line: `FUTURE caches master 1`},
	"REPLICATE, which ends in a space": {line: `REPLICATE `},
	"nothing":                          {},

	"no row":                       {line: `RDATA caches master 5`, err: errMalformed},
	"no process":                   {line: `RDATA caches`, err: errMalformed},
	"a process without a name":     {line: `POSITION caches  1 2`, err: errMalformed},
	"a position that is no number": {line: `RDATA caches master x ["ignored_by",null,1]`, err: errMalformed},
	"a position beyond all numbers": {
		line: `RDATA caches master 9223372036854775807 ["ignored_by",null,1]`, err: errMalformed,
	},
	"half a position":          {line: `POSITION caches master 5`, err: errMalformed},
	"a position and more":      {line: `POSITION caches master 5 6 7`, err: errMalformed},
	"a row that is no list":    {line: `RDATA caches master 5 {"get_device":1}`, err: errMalformed},
	"a row that is cut":        {line: `RDATA caches master 5 ["get_user_by_access_token",["syt_`, err: errMalformed},
	"a row without a time":     {line: `RDATA caches master 5 ["get_user_by_access_token",["t"]]`, err: errMalformed},
	"a time that is no number": {line: `RDATA caches master 5 ["get_user_by_access_token",["t"],"1"]`, err: errMalformed},
	"a key that is no text":    {line: `RDATA caches master 5 ["get_user_by_access_token",[5],1]`, err: errMalformed},
	"keys that are no list":    {line: `RDATA caches master 5 ["get_user_by_access_token","t",1]`, err: errMalformed},
	"no key":                   {line: `RDATA caches master 5 ["get_user_by_access_token",[],1]`, err: errMalformed},
	"an empty key":             {line: `RDATA caches master 5 ["get_user_by_access_token",[""],1]`, err: errMalformed},
	"a key that is null":       {line: `RDATA caches master 5 ["get_device",[null],1]`, err: errMalformed},
	"two tokens":               {line: `RDATA caches master 5 ["get_user_by_access_token",["a","b"],1]`, err: errMalformed},
}

func TestParse(t *testing.T) {
	for name, test := range parseTests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(test.line)
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(line{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range parseTests {
		f.Add(test.line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := parse(text)
		if err != nil && (!errors.Is(err, errMalformed) || l != line{}) {
			t.Errorf("error %v with %v: a line is read whole or not at all, and its text shows nowhere", err, l)
		}
		if ends := l.kind == token || l.kind == user; ends != (l.key != "") {
			t.Errorf("kind %d with a key of %d bytes", l.kind, len(l.key))
		}
		if l.kind != other && (l.instance == "" || strings.Contains(l.instance, " ")) {
			t.Errorf("kind %d of process %q", l.kind, l.instance)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	const row = `RDATA caches master 65 ["cs_cache_fake",["!9MGtsQmcFFth6vjbUErVjq3EtdvJPc8IBvAv6iNmnjk","@u0:axon.test"],1795251498958]`
	for b.Loop() {
		if _, err := parse(row); err != nil {
			b.Fatal(err)
		}
	}
}
