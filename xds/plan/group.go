package plan

import (
	"axon/affinity"
	"axon/xds/topology"
)

// GroupName names a group, as in the groups section of axon.yaml.
type GroupName string

// The groups: jobs of workers, streams that have writers of their own, main, and the services beside Synapse.
const (
	Sync                    GroupName = "sync"
	InitialSync             GroupName = "initial_sync"
	ClientReader            GroupName = "client_reader"
	EventCreator            GroupName = "event_creator"
	Login                   GroupName = "login"
	SSO                     GroupName = "sso"
	FederationInbound       GroupName = "federation_inbound"
	FederationReader        GroupName = "federation_reader"
	Media                   GroupName = "media"
	UserDirectory           GroupName = "user_directory"
	Typing                            = GroupName(topology.Typing)
	ToDevice                          = GroupName(topology.ToDevice)
	AccountData                       = GroupName(topology.AccountData)
	Receipts                          = GroupName(topology.Receipts)
	Presence                          = GroupName(topology.Presence)
	PushRules                         = GroupName(topology.PushRules)
	DeviceLists                       = GroupName(topology.DeviceLists)
	ThreadSubscriptions               = GroupName(topology.ThreadSubscriptions)
	QuarantinedMediaChanges           = GroupName(topology.QuarantinedMediaChanges)
	Main                    GroupName = topology.MainName
	DelegatedAuth           GroupName = "delegated_auth"
	MediaRepo               GroupName = "media_repo"
)

// job is what a group is for and who does it when nobody says so.
type job struct {
	group    GroupName
	resource topology.Resource
	// affinity is that of most of the group's routes: it decides whether the group's own cluster is hashed.
	affinity affinity.Affinity
	// stead are the groups whose workers do the job, in this order, where no worker is named for it.
	stead []GroupName
	// single means that one process must do it all.
	single bool
}

// generic is the stead of workers that are not named for any job: they share all jobs that nobody else has.
const generic GroupName = "generic"

// jobs are all groups that workers are found for by their names, in the order in which they are shown.
var jobs = []job{
	{group: Sync, resource: topology.Client, affinity: affinity.User, stead: []GroupName{generic}},
	{group: InitialSync, resource: topology.Client, affinity: affinity.User, stead: []GroupName{Sync, generic}},
	{group: ClientReader, resource: topology.Client, stead: []GroupName{generic, EventCreator}},
	{group: EventCreator, resource: topology.Client, affinity: affinity.Room, stead: []GroupName{generic, ClientReader}},
	{group: Login, resource: topology.Client, stead: []GroupName{ClientReader, generic}},
	{group: SSO, resource: topology.Client, stead: []GroupName{Login, ClientReader, generic}, single: true},
	{group: FederationInbound, resource: topology.Federation, affinity: affinity.Origin, stead: []GroupName{FederationReader, generic}},
	{group: FederationReader, resource: topology.Federation, stead: []GroupName{FederationInbound, generic}},
	{group: Media, resource: topology.Media},
	{group: UserDirectory, resource: topology.Client, stead: []GroupName{ClientReader, generic}},
}

// streams are the groups of stream writers; events has none, because clients never write to it directly.
var streams = []job{
	{group: Typing, resource: topology.Client},
	{group: ToDevice, resource: topology.Client},
	{group: AccountData, resource: topology.Client},
	{group: Receipts, resource: topology.Client},
	{group: Presence, resource: topology.Client},
	{group: PushRules, resource: topology.Client},
	// Any worker takes these requests and hands them to the writer: when that is main, they still leave main.
	{group: DeviceLists, resource: topology.Client, stead: []GroupName{ClientReader}},
	{group: ThreadSubscriptions, resource: topology.Client},
	{group: QuarantinedMediaChanges, resource: topology.Media},
}
