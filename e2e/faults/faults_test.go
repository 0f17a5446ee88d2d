package faults

import (
	"time"

	"axon/e2e/faults/standin/ask"
)

// faults are made in this order.
var faults = []fault{
	{name: "nothing", short: true, happen: func(*site, *window) { time.Sleep(pollFor) }},
	{name: "a worker is killed and started again", short: true, happen: killWorker},
	{name: "the only writer is killed and started again", happen: killWriter},
	{name: "a worker is stopped (SIGSTOP) and goes on", short: true, happen: stopWorker},
	{name: "a worker comes back on another port", happen: moveWorker},
	{name: "a worker is added, and taken away again", short: true, happen: addWorker},
	{name: "a worker is taken away, and put back", happen: removeWorker},
	{name: "one of two workers is taken away, and put back", short: true, happen: removeOneOfTwo},
	{name: "axon is killed and started again", short: true, happen: killAxon},
	{name: "envoy is killed", short: true, happen: killEnvoy},
	{name: "whoami hangs", short: true, happen: whoami(ask.Hangs)},
	{name: "whoami answers 500", happen: whoami(ask.Fails)},
	{name: "whoami answers 401", happen: whoami(ask.Refuses)},
	{name: "whoami answers garbage", happen: whoami(ask.Garbage)},
	{name: "whoami answers 3 s late", happen: whoami(ask.Late)},
	{name: "redis is killed and started again", happen: killRedis},
	{name: "redis is stopped (SIGSTOP) and goes on", happen: stopRedis},
	{name: "a bad configuration is written, then mended", short: true, happen: breakFiles},
	{name: "files are removed, then put back", happen: removeFiles},
	{name: "a hundred reloads in a minute", short: true, happen: manyReloads},
	{name: "axon's clock jumps", happen: clockJumps, prepare: buildTurnable, before: withTurnable, after: killAxon},
	{name: "axon has no file descriptor left", happen: axonHasNoFiles},
	{name: "more clients come than envoy has file descriptors for", happen: envoyIsCrowded},
	{name: "clients are slow", happen: slowReaders},
	{name: "workers are slow", happen: slowWorkers},
	{name: "the disk is full", happen: fullDisk},
	{name: "the snapshot on disk is corrupted", happen: corruptSnapshot},
	{name: "axon starts without synapse's files", happen: startWithoutFiles},
	{name: "a worker is drained and killed", happen: killDrained},
}
