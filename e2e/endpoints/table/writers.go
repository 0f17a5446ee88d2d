package table

import "slices"

// writes says that a servlet's requests write to a stream.
type writes struct {
	stream   string
	writer   Writer
	servlets []string
	methods  []string
}

// writers are measured: each request was sent to a writer and to another worker of a real deployment (Synapse 1.163).
// Nothing that Synapse registers tells them; Stream.DecidedIn, which is read from its code, tells when to measure again.
var writers = []writes{
	{"typing", Strict, []string{"RoomTypingRestServlet"}, []string{"PUT"}},
	{"to_device", Strict, []string{"SendToDeviceRestServlet"}, []string{"PUT"}},
	{"push_rules", Strict, []string{"PushRuleRestServlet"}, []string{"PUT", "DELETE"}},
	{"receipts", Strict, []string{"ReceiptRestServlet", "ReadMarkerRestServlet"}, []string{"POST"}},
	{"thread_subscriptions", Strict, []string{"ThreadSubscriptionsRestServlet"}, []string{"PUT", "DELETE"}},
	{"quarantined_media_changes", Strict, []string{
		"QuarantineMediaInRoom", "QuarantineMediaByUser", "QuarantineMediaByID", "UnquarantineMediaByID",
	}, []string{"POST"}},
	// One's own status is answered anywhere, another user's only by the writer.
	{"presence", Strict, []string{"PresenceStatusRestServlet"}, []string{"GET"}},

	{"presence", Preferred, []string{"PresenceStatusRestServlet"}, []string{"PUT"}},
	{"account_data", Preferred, []string{
		"AccountDataServlet", "RoomAccountDataServlet", "TagServlet", "UnstableAccountDataServlet", "UnstableRoomAccountDataServlet",
	}, []string{"PUT", "DELETE"}},
	{"device_lists", Preferred, []string{
		"DeviceRestServlet", "DeleteDevicesRestServlet", "KeyUploadServlet", "SigningKeyUploadServlet", "SignaturesUploadServlet",
	}, []string{"POST", "PUT", "DELETE"}},
	{"events", Preferred, []string{
		"RoomSendEventRestServlet", "RoomRedactEventRestServlet", "RoomStateEventRestServlet", "RoomMembershipRestServlet",
		"RoomCreateRestServlet", "JoinRoomAliasServlet", "KnockRoomAliasServlet", "ProfileFieldRestServlet",
		"UnstableProfileFieldRestServlet",
	}, []string{"POST", "PUT", "DELETE"}},
}

// writerOf finds the stream that a request writes to; both are empty for one that writes to none, or that only main takes.
func writerOf(e Endpoint) (stream string, w Writer) {
	onMain := len(e.Native[Worker])+len(e.Native[WorkerWithMedia])+len(e.Delegated[Worker]) == 0
	for _, row := range writers {
		ours := func(servlet string) bool { return slices.Contains(row.servlets, servlet) }
		if !onMain && slices.Contains(row.methods, e.Method) && slices.ContainsFunc(e.Servlets, ours) {
			return row.stream, row.writer
		}
	}
	return "", ""
}
