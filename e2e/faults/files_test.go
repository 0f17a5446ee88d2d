package faults

import (
	"fmt"
	"slices"
	"strings"

	"axon/demo/standin"
)

// cast are the processes of the homeserver.
var cast = []string{
	standin.Main, "sync-1", "sync-2", "sync-3", "event-creator-1", "event-creator-2", "client-reader-1", "client-reader-2",
	"federation-1", "federation-2", "media-1", writer,
}

// writer is the only one that may answer the requests of its streams.
const writer = "writer-1"

// streams are those that the writer writes.
var streams = []string{"typing", "to_device", "receipts", "account_data"}

func resources(name string) []string {
	switch {
	case name == standin.Main:
		return []string{standin.Client, standin.Federation}
	case strings.HasPrefix(name, "federation-"):
		return []string{standin.Federation}
	case strings.HasPrefix(name, "media-"):
		return []string{standin.Client, standin.Federation, standin.Media}
	}
	return []string{standin.Client}
}

const homeserverYAML = `server_name: %s
enable_media_repo: false
media_instance_running_background_jobs: media-1
listeners:
  - {type: http, port: %s, bind_addresses: [127.0.0.1], resources: [{names: [client, federation]}]}
redis: {enabled: true, host: 127.0.0.1, port: %s}
stream_writers: {%s}
instance_map:
  main: {host: 127.0.0.1, port: 1}
  writer-1: {host: 127.0.0.1, port: 2}
`

const workerYAML = `worker_app: synapse.app.generic_worker
worker_name: %s
enable_media_repo: %t
worker_listeners:
  - {type: http, port: %s, bind_addresses: [127.0.0.1], resources: [{names: [%s]}]}
`

// The drain is short, so that a test that fails leaves soon. A lookup may take longer than by default: a machine that is busy
// with other tests must not look like an Axon that does not answer.
const axonYAML = `synapse:
  config: [homeserver.yaml]
  workers: [workers]
listeners:
  - address: FRONT
identity:
  timeout: 2500ms
  cache: {negative_ttl: 2s}
  redis: {address: "REDIS", secret_path: redis.secret}
authz: {address: "unix:DIR/authz.sock"}
xds: {address: "unix:DIR/xds.sock"}
admin: {address: ADMIN}
envoy: {run: true, dir: DIR/envoy, admin: "unix:DIR/envoy.sock", concurrency: 2, drain: 1s}
state: {dir: DIR/state}
`

func (s *site) axonYAML() string {
	return strings.NewReplacer("DIR", s.dir, "FRONT", s.front, "ADMIN", s.admin, "REDIS", s.redisAddress).Replace(axonYAML)
}

// describe writes Synapse's file about a process.
func (s *site) describe(name string) {
	s.t.Helper()
	file, text := s.file(name)
	s.write(file, text)
}

// file gives the name and the text of a process's file.
func (s *site) file(name string) (file, text string) {
	_, port, _ := strings.Cut(s.workers[name].address, ":")
	if name == standin.Main {
		_, redis, _ := strings.Cut(s.redisAddress, ":")
		var writers []string
		for _, stream := range streams {
			writers = append(writers, stream+": "+writer)
		}
		return "homeserver.yaml", fmt.Sprintf(homeserverYAML, serverName, port, redis, strings.Join(writers, ", "))
	}
	has := resources(name)
	return "workers/" + name + ".yaml", fmt.Sprintf(workerYAML, name, slices.Contains(has, standin.Media), port, strings.Join(has, ", "))
}
