package identity

// Policy is what is done with an identity, or without one.
type Policy struct {
	// Enforce answers requests that need a user and have none with 401, as Synapse would; without it every request goes
	// on. It is for meshes where others trust the headers.
	Enforce bool `yaml:"enforce"`
	// FailOpen lets requests go on, under Enforce, when no resolver gave an answer; else they get 503.
	FailOpen bool `yaml:"fail_open"`
	// Headers are what Axon tells of the user.
	Headers Headers `yaml:"headers"`
}

// Headers names the headers that carry an identity; an empty name leaves one out. Clients' own copies never get through.
type Headers struct {
	User       string `yaml:"user"`       // the Matrix user ID; x-user-identifier
	Localpart  bool   `yaml:"localpart"`  // the user header holds the localpart only
	Device     string `yaml:"device"`     // the device ID
	Guest      string `yaml:"guest"`      // "true" for guests, else absent
	Appservice string `yaml:"appservice"` // the id of the appservice whose token it is
}
