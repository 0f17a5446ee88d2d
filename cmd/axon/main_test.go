package main

import (
	"cmp"
	"errors"
	"flag"
	"os/exec"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"axon/envoy/envoytest"
)

var update = flag.Bool("update", false, "rewrite what testdata/*.txtar expect")

// promptly is for GORACE: else the race detector lets a process sleep for a second when it ends well.
const promptly = "atexit_sleep_ms=0"

// TestMain makes this binary a command axon, too, first on the PATH: a process of its own, with the race detector in it.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"axon": main})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	binary := envoytest.Binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(env *testscript.Env) error {
			env.Setenv("ENVOY", binary)
			env.Setenv("GORACE", promptly)
			return nil
		},
	})
}

// exits CODE COMMAND [ARGUMENT]... is exec for a command that has to end with that code.
func exits(script *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		script.Fatalf("usage: exits code command [argument]...")
	}
	want, err := strconv.Atoi(args[0])
	script.Check(err)
	err = script.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		script.Fatalf("%v", err)
	}
	if got := exit.ExitCode(); exit != nil && got != want || exit == nil && want != 0 {
		script.Fatalf("%v: %v, want exit code %d", args[1:], cmp.Or(err, errors.New("exit code 0")), want)
	}
}
