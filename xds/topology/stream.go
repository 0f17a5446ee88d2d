package topology

// Stream is a stream whose writer an administrator can move off main (Synapse's WriterLocations, config/workers.py).
type Stream string

// The streams of Synapse 1.163.
const (
	Events                  Stream = "events"
	Typing                  Stream = "typing"
	ToDevice                Stream = "to_device"
	AccountData             Stream = "account_data"
	Receipts                Stream = "receipts"
	Presence                Stream = "presence"
	PushRules               Stream = "push_rules"
	DeviceLists             Stream = "device_lists"
	ThreadSubscriptions     Stream = "thread_subscriptions"
	QuarantinedMediaChanges Stream = "quarantined_media_changes"
)

// Streams are all of them, in the order in which they are shown.
var Streams = []Stream{
	Events, Typing, ToDevice, AccountData, Receipts, Presence, PushRules, DeviceLists, ThreadSubscriptions,
	QuarantinedMediaChanges,
}

// SingleWriter are the streams for which Synapse refuses more than one writer.
var SingleWriter = map[Stream]bool{Typing: true, ToDevice: true, AccountData: true, Presence: true, PushRules: true}

// Strict are the streams whose requests any process but a writer answers with 500. The others' requests are proxied by
// Synapse to the writer; sending them there in the first place is only faster.
var Strict = map[Stream]bool{
	Typing: true, ToDevice: true, PushRules: true, Receipts: true, Presence: true, ThreadSubscriptions: true,
	QuarantinedMediaChanges: true,
}

// Resource is a name that a listener lists under resources (Synapse's KNOWN_RESOURCES, config/server.py).
type Resource string

// The resources that a client or a remote server may need. Synapse serves keys wherever it serves federation, and media
// only where the process loads the media repository.
const (
	Client     Resource = "client"
	Federation Resource = "federation"
	Media      Resource = "media"
	Keys       Resource = "keys"
)
