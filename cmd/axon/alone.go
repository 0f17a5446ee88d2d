package main

import (
	"errors"
	"slices"
	"strings"

	"axon/xds/topology"
	"axon/yamlfile"
)

// xdsListener is the place of xds among the front door's listeners.
const xdsListener = 1

var errNothingForEnvoy = errors.New("listeners: none, so that Axon only answers ext_authz and ext_proc: there is nothing to tell an Envoy")

// identityAlone says that Envoy gets its routes from elsewhere: Axon publishes nothing, and only answers who asks.
func (c Config) identityAlone() bool { return len(c.Plan.Listeners) == 0 && !c.Envoy.Run }

// toldFault says what keeps Envoy from being told where clients arrive, or where Axon is.
func (c Config) toldFault(file *yamlfile.File) error {
	if len(c.Plan.Listeners) == 0 {
		for _, key := range []string{"envoy", "xds", "virtual_hosts", "well_known"} {
			if (key == "envoy" && c.Envoy.Run) || (key != "envoy" && file.Has(key)) {
				return file.Errorf([]any{key}, `listeners: none; say where clients arrive, for example listeners: [{address: "0.0.0.0:8448"}]; `+
					"without them Axon only answers ext_authz, and %s has no use", key)
			}
		}
		return nil
	}
	var faults []error
	for section, addresses := range map[string][2]string{
		"authz": {c.Authz.Address, c.Authz.Advertise}, "xds": {c.XDS.Address, c.XDS.Advertise},
	} {
		_, err := topology.ParseAddress(addresses[0])
		if wildcard := err != nil && topology.CheckListen(addresses[0]) == nil; wildcard && addresses[1] == "" {
			faults = append(faults, file.Errorf([]any{section, "address"}, "%[1]s.address: %[2]w; say in %[1]s.advertise where Envoy finds Axon", section, err))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// aloneNow makes a deployment the one that is served where nothing is published.
func (f *frontDoor) aloneNow(d deployment) {
	if !d.config.identityAlone() {
		f.log.Warn("listeners, or an Envoy to run, stand in the configuration now: restart axon to serve them")
	}
	f.note(true, nil)
	f.serving.Store(&d)
	f.health.SetReady(true)
}
