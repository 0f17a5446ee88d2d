package topology

// delegatedAuth finds the Matrix Authentication Service (Synapse's config/mas.py).
func (b *builder) delegatedAuth() {
	if c := b.cfg.Topology.DelegatedAuth; c != nil {
		b.t.DelegatedAuth = b.service("delegated_auth", c)
		return
	}
	if c := b.hs.MAS; c != nil && c.Enabled {
		endpoint := c.Endpoint
		if endpoint == "" {
			endpoint = "http://localhost:8080"
		}
		b.t.DelegatedAuth = b.serviceAt(endpoint, "matrix_authentication_service", "endpoint")
		return
	}
	if c := b.hs.Experimental; c != nil && c.MSC3861.Enabled {
		path := []any{"experimental_features", "msc3861", "issuer"}
		b.t.DelegatedAuth = b.serviceAt(c.MSC3861.Issuer, path...)
		b.warn(b.shared.at(path...), "msc3861 says who issues tokens, not where requests are to be sent: "+
			"set topology.delegated_auth.address, or move to matrix_authentication_service")
	}
}

// serviceAt reads a URL of Synapse's files.
func (b *builder) serviceAt(endpoint string, path ...any) *Service {
	address, tls, err := parseURL(endpoint)
	if err != nil {
		b.add(b.shared.file(path[0].(string)).Errorf(path, "%s.%s: %w", path[0], path[len(path)-1], err))
		return nil
	}
	return &Service{Address: address, TLS: tls, Source: b.shared.at(path...)}
}

// service reads a service of the topology section.
func (b *builder) service(key string, c *ServiceConfig) *Service {
	address, err := ParseAddress(c.Address)
	if err != nil {
		b.add(b.file.Errorf([]any{"topology", key, "address"}, "topology.%s: address: %w", key, err))
		return nil
	}
	return &Service{Address: address, TLS: c.TLS, ForwardedHost: c.ForwardedHost, Source: b.file.At("topology", key)}
}

// mediaRepo is a matrix-media-repo, which only axon.yaml can tell of.
func (b *builder) mediaRepo() {
	if c := b.cfg.Topology.MediaRepo; c != nil {
		b.t.MediaRepo = b.service("media_repo", c)
	}
}

// duties notes which workers Synapse's files give work that no route shows.
func (b *builder) duties() {
	b.t.UserDirectoryWorker = b.duty("update_user_directory_from_worker", b.hs.UserDirectoryWorker)
	b.t.MediaJobsWorker = b.duty("media_instance_running_background_jobs", b.hs.MediaJobsWorker)
	for _, d := range []struct {
		key   string
		names []string
	}{
		{"federation_sender_instances", b.hs.FederationSenders},
		{"pusher_instances", b.hs.Pushers},
		{"run_background_tasks_on", []string{b.hs.BackgroundWorker}},
		{"notify_appservices_from_worker", []string{b.hs.AppserviceWorker}},
	} {
		for _, name := range d.names {
			if w := b.t.Worker(name); w != nil && w != b.t.Main && b.t.Background[name] == "" {
				b.t.Background[name] = d.key
			}
		}
	}
}

// duty gives the worker that a key names, and warns where there is none.
func (b *builder) duty(key, name string) string {
	if name == mainInside {
		return MainName
	}
	if name != "" && b.t.Worker(name) == nil {
		if !b.incomplete {
			b.warn(b.shared.at(key), "%s: no file describes the worker %q", key, name)
		}
		return ""
	}
	return name
}
