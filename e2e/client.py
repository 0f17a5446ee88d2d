"""A real client library against a homeserver: python client.py URL.

Four users with three devices each do what clients do. Standard output is a JSON report of every request and every
fault; the exit code is 1 when there was a fault.
"""

import asyncio
import io
import struct
import sys
import zlib
from urllib.parse import quote

from nio import ToDeviceMessage
from nio.api import PushRuleKind, RoomPreset, RoomVisibility

from device import Device, Report

USERS = ["alice", "bob", "carol", "dave"]
PASSWORD = "a long password of no consequence"
ROUNDS = 3
V3 = "/_matrix/client/v3"
SLIDING = "/_matrix/client/unstable/org.matrix.simplified_msc3575/sync"


class Scene:
    """The users' devices, the room they share, and the steps that they take."""

    def __init__(self, homeserver):
        self.report = Report()
        self.step = self.report.step
        self.devices = {
            user: [
                Device(homeserver, user, "web", self.report, token_in_query=True),
                Device(homeserver, user, "phone", self.report),
                Device(homeserver, user, "laptop", self.report),
            ]
            for user in USERS
        }
        self.nobody = Device(homeserver, "", "none", self.report)
        self.room, self.events = "", []

    def all_devices(self):
        return [device for devices in self.devices.values() for device in devices]

    def phone(self, user):
        return self.devices[user][1]

    async def play(self):
        await self.enter()
        if self.report.faults:
            return  # nothing else can work
        for act in (
            self.initial_sync, self.talk, self.poll, self.forge, self.ephemeral, self.media, self.sliding_sync,
            self.people, self.keys, self.settings, self.reads, self.strangers, self.leave,
        ):
            await act()

    async def close(self):
        for device in [*self.all_devices(), self.nobody]:
            await device.close()

    async def enter(self):
        """Users register and log in on their devices; one makes a room, the others join it."""
        for user, (web, phone, laptop) in self.devices.items():
            with self.step("register"):
                await web.register(user, PASSWORD, device_name="web")
            for device in (phone, laptop):
                with self.step("login"):
                    await device.login(PASSWORD, device_name=device.name)
        alice = self.phone("alice")
        with self.step("create room"):
            made = await alice.room_create(
                visibility=RoomVisibility.public, alias="square", name="Square", preset=RoomPreset.public_chat
            )
            self.room = made.room_id
        for user in USERS[1:]:
            with self.step("invite"):
                await alice.room_invite(self.room, self.phone(user).user_id)
            with self.step("join"):
                await self.phone(user).join(self.room)

    async def initial_sync(self):
        for device in self.all_devices():
            with self.step("initial sync"):
                await device.sync(timeout=0)
        with self.step("initial sync, full state"):
            await self.phone("alice").sync(full_state=True)

    async def talk(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        for n in range(5):
            with self.step("send"):
                sent = await (alice, bob)[n % 2].room_send(self.room, "m.room.message", text(f"hello {n}"))
                self.events.append(sent.event_id)
        with self.step("set topic"):
            await alice.room_put_state(self.room, "m.room.topic", {"topic": "what we talk about"})
        with self.step("redact"):
            await alice.room_redact(self.room, self.events[0])
        with self.step("messages"):
            read = await bob.room_messages(self.room, start=bob.next_batch, limit=50)
            seen = {event.event_id for event in read.chunk}
            if not seen.intersection(self.events):
                read = await bob.raw("GET", f"{V3}/rooms/{quote(self.room)}/messages?dir=b&limit=50")
                seen = {event["event_id"] for event in read["chunk"]}
            if missing := set(self.events[1:]) - seen:
                self.report.fault(f"{len(missing)} of the messages sent are not among those read back")

    async def poll(self):
        """All devices hold a long poll each; a message wakes them all."""
        for n in range(ROUNDS):
            body = f"wake {n}"
            sender = self.phone(USERS[n % len(USERS)])
            with self.step("incremental sync"):
                polls = [asyncio.create_task(self.poll_for(device, body)) for device in self.all_devices()]
                await asyncio.sleep(0.5)
                await sender.room_send(self.room, "m.room.message", text(body))
                await asyncio.gather(*polls)

    async def poll_for(self, device, body):
        """Polls on until the message arrives; other things wake a poll too."""
        for _ in range(20):
            answer = await device.sync(timeout=30_000)
            joined = answer.rooms.join.get(self.room)
            if joined and any(getattr(event, "body", "") == body for event in joined.timeline.events):
                return
        self.report.fault(f"{device.name} of {device.localpart}: no message in twenty polls")

    async def forge(self):
        """A client that claims to be somebody else, and elsewhere, is served where its own user is."""
        bob = self.phone("bob")
        for n in range(8):
            somebody = f"@forged{n}:axon.test"
            claim = {
                "X-User-Identifier": somebody, "X_User_Identifier": somebody, "X-Forwarded-For": "203.0.113.9",
            }
            with self.step("forged identity"):
                await bob.raw("GET", f"{V3}/sync?timeout=0&since={quote(bob.next_batch)}", headers=claim)

    async def ephemeral(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        with self.step("typing"):
            await alice.room_typing(self.room, True)
            await alice.room_typing(self.room, False)
        with self.step("receipt"):
            await bob.update_receipt_marker(self.room, self.events[-1])
        with self.step("read markers"):
            await bob.room_read_markers(self.room, self.events[-1], self.events[-1])
        with self.step("to-device"):
            await alice.to_device(ToDeviceMessage("org.example.ping", bob.user_id, "laptop", {"n": 1}))
            await self.receive_ping(self.devices["bob"][2])
        with self.step("presence"):
            await bob.set_presence("online", "here")
            await alice.get_presence(bob.user_id)
            await alice.get_presence(alice.user_id)

    async def receive_ping(self, laptop):
        for _ in range(5):
            answer = await laptop.sync(timeout=5_000)
            if any(event.source["type"] == "org.example.ping" for event in answer.to_device_events):
                return
        self.report.fault("the to-device message did not arrive")

    async def media(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        picture = png()
        with self.step("media"):
            await alice.content_repository_config()
            stored, _ = await alice.upload(io.BytesIO(picture), "image/png", "dot.png", filesize=len(picture))
            loaded = await bob.download(stored.content_uri)
            if loaded.body != picture:
                self.report.fault("what was downloaded is not what was uploaded")
            server, _, media = stored.content_uri.removeprefix("mxc://").partition("/")
            await bob.thumbnail(server, media, 1, 1)
            await bob.raw("GET", "/_matrix/media/v3/config")

    async def sliding_sync(self):
        for user in USERS:
            with self.step("sliding sync"):
                await self.slide(self.phone(user))

    async def slide(self, device):
        wanted = {
            "conn_id": "main",
            "lists": {"all": {"ranges": [[0, 9]], "required_state": [["m.room.name", ""]], "timeline_limit": 3}},
        }
        answer = await device.raw("POST", f"{SLIDING}?timeout=0", wanted)
        if self.room not in answer["rooms"]:
            self.report.fault("the first answer lacks the room")
        for _ in range(2):
            answer = await device.raw("POST", f"{SLIDING}?timeout=100&pos={quote(answer['pos'])}", wanted)

    async def people(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        with self.step("profile"):
            await alice.set_displayname("Alice of the Square")
            await alice.set_avatar("mxc://axon.test/none")
            await bob.get_profile(alice.user_id)
        with self.step("user directory"):
            await bob.raw("POST", f"{V3}/user_directory/search", {"search_term": "alice"})
        with self.step("devices"):
            await alice.devices()
            await alice.update_device("phone", {"display_name": "Phone"})

    async def keys(self):
        alice, bob = self.phone("alice"), self.phone("bob")
        device_keys = {
            "user_id": alice.user_id, "device_id": "phone", "algorithms": ["m.megolm.v1.aes-sha2"],
            "keys": {"ed25519:phone": "AAAA"}, "signatures": {alice.user_id: {"ed25519:phone": "AAAA"}},
        }
        one_time_key = {"key": "AAAA", "signatures": device_keys["signatures"]}
        with self.step("keys upload"):
            await alice.raw("POST", f"{V3}/keys/upload", {
                "device_keys": device_keys, "one_time_keys": {"signed_curve25519:AAAA": one_time_key},
            })
        with self.step("keys query"):
            answer = await bob.raw("POST", f"{V3}/keys/query", {"device_keys": {alice.user_id: []}})
            if "phone" not in answer["device_keys"][alice.user_id]:
                self.report.fault("the keys uploaded are not among those found")
        with self.step("keys claim"):
            await bob.raw("POST", f"{V3}/keys/claim", {
                "one_time_keys": {alice.user_id: {"phone": "signed_curve25519"}},
            })
        with self.step("keys changes"):
            token = quote(bob.next_batch)
            await bob.raw("GET", f"{V3}/keys/changes?from={token}&to={token}")
        with self.step("key backup"):
            await alice.raw("POST", f"{V3}/room_keys/version", {
                "algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": {"public_key": "AAAA"},
            })
            await alice.raw("GET", f"{V3}/room_keys/version")

    async def settings(self):
        alice = self.phone("alice")
        mine = f"{V3}/user/{quote(alice.user_id)}"
        room = f"{mine}/rooms/{quote(self.room)}"
        with self.step("account data"):
            await alice.raw("PUT", f"{mine}/account_data/org.example.colour", {"colour": "red"})
            await alice.raw("GET", f"{mine}/account_data/org.example.colour")
            await alice.raw("PUT", f"{room}/account_data/org.example.colour", {"colour": "blue"})
        with self.step("tags"):
            await alice.raw("PUT", f"{room}/tags/m.favourite", {"order": 0.5})
            await alice.raw("GET", f"{room}/tags")
            await alice.raw("DELETE", f"{room}/tags/m.favourite")
        with self.step("push rules"):
            await alice.raw("GET", f"{V3}/pushrules/")
            await alice.set_pushrule("global", PushRuleKind.content, "square", pattern="square")
            await alice.delete_pushrule("global", PushRuleKind.content, "square")
        with self.step("filter"):
            made = await alice.upload_filter(room={"timeline": {"limit": 5}})
            await alice.raw("GET", f"{mine}/filter/{quote(made.filter_id)}")

    async def reads(self):
        """Reads that any worker may answer, and a few that only main does."""
        alice = self.phone("alice")
        room = f"{V3}/rooms/{quote(self.room)}"
        with self.step("room reads"):
            await alice.joined_rooms()
            await alice.joined_members(self.room)
            await alice.room_get_state(self.room)
            await alice.room_get_event(self.room, self.events[1])
            await alice.room_context(self.room, self.events[1])
            await alice.room_resolve_alias("#square:axon.test")
            await alice.raw("GET", f"{room}/members")
            await alice.raw("GET", f"/_matrix/client/v1/rooms/{quote(self.room)}/relations/{quote(self.events[1])}")
            await alice.raw("GET", f"{room}/initialSync")
        with self.step("client reads"):
            await alice.whoami()
            for path in ("capabilities", "voip/turnServer", "publicRooms", "notifications", "account/3pid"):
                await alice.raw("GET", f"{V3}/{path}")
        with self.step("main's own"):
            for path in ("pushers", "thirdparty/protocols"):
                await alice.raw("GET", f"{V3}/{path}")
            await alice.raw("POST", f"{V3}/user/{quote(alice.user_id)}/openid/request_token", {})

    async def strangers(self):
        """What needs no token: the first requests of a client, and those of other servers."""
        with self.step("before login"):
            await self.nobody.raw("GET", "/_matrix/client/versions")
            await self.nobody.raw("GET", f"{V3}/login")
            await self.nobody.raw("GET", f"{V3}/register/available?username=erin")
        with self.step("federation"):
            await self.nobody.raw("GET", "/_matrix/federation/v1/version")
        with self.step("server keys"):
            await self.nobody.raw("GET", "/_matrix/key/v2/server")

    async def leave(self):
        dave = self.phone("dave")
        with self.step("leave"):
            await dave.room_leave(self.room)
        with self.step("forget"):
            await dave.room_forget(self.room)
        with self.step("logout"):
            await dave.logout()


def text(body):
    return {"msgtype": "m.text", "body": body}


def png():
    """A picture of one dot."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    dot = zlib.compress(b"\0\xff\0\0")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", dot) + chunk(b"IEND", b"")


async def main(homeserver):
    scene = Scene(homeserver)
    try:
        await scene.play()
    finally:
        await scene.close()
    print(scene.report.dump())
    return 1 if scene.report.faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: client.py URL")
    sys.exit(asyncio.run(main(sys.argv[1])))
