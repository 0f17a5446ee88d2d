"""A real Synapse process, up to the point where it would listen. It runs in a forked child: Synapse keeps state in its
modules."""

from pathlib import Path

from cases import PROCESSES, Case, features

# Every stream's writer, and the worker whose endpoints are asked for.
ELSEWHERE, SELF = "elsewhere", "w1"
# Nothing of this is for a client.
NOT_PUBLIC = {"metrics", "replication"}


def listener_resources(case: Case) -> list[str]:
    """All resources that a listener can have in the installed Synapse, as far as the case lets it."""
    from synapse.config.server import KNOWN_RESOURCES

    names = KNOWN_RESOURCES - NOT_PUBLIC
    if "user_consent" not in case.features:
        names = names - {"consent"}  # Synapse refuses it unconfigured
    if case.process == "main":
        names = names - {"media"}  # likewise
    return sorted(names)


def listener(names: list[str]) -> dict:
    return {
        "port": 18999, "type": "http", "bind_addresses": ["127.0.0.1"], "x_forwarded": True,
        "resources": [{"names": names, "compress": False}],
    }


def configuration(case: Case, folder: Path) -> dict:
    """The homeserver.yaml of a case, without its listeners."""
    process = PROCESSES[case.process]
    config = {
        "server_name": "example.org", "public_baseurl": "https://example.org/", "pid_file": str(folder / "pid"),
        "database": {"name": "sqlite3", "args": {"database": str(folder / "hs.db")}},
        "media_store_path": str(folder / "media"), "signing_key_path": str(folder / "key"),
        "macaroon_secret_key": "a", "form_secret": "b", "registration_shared_secret": "c",
        "worker_replication_secret": "d", "report_stats": False, "trusted_key_servers": [],
        "suppress_key_server_warning": True, "redis": {"enabled": True}, "serve_server_wellknown": True,
        "instance_map": {name: {"host": "127.0.0.1", "port": 18998} for name in ("main", ELSEWHERE, SELF)},
        "enable_media_repo": process.media_repo, "experimental_features": {},
        # Unset it is on with native logins (config/auth.py).
        "login_via_existing_session": {"enabled": False},
    }
    if process.app:
        config.update(worker_app=process.app, worker_name=SELF)
        config["stream_writers"] = {stream: SELF for stream in case.writes}
    if case.duties:
        config.update(
            update_user_directory_from_worker=SELF, notify_appservices_from_worker=SELF, run_background_tasks_on=SELF,
            media_instance_running_background_jobs=SELF, federation_sender_instances=[SELF], pusher_instances=[SELF],
        )
    if case.delegated:
        config["matrix_authentication_service"] = {"enabled": True, "endpoint": "http://127.0.0.1:18997", "secret": "e"}
        config["password_config"] = {"enabled": False}
    for name in case.features:
        features()[name].switch(config, folder)
    return config


def parse(config: dict, folder: Path):
    """Synapse's own reading of a configuration."""
    from synapse.config import repository, saml2
    from synapse.config.homeserver import HomeServerConfig

    # URL previews and SAML want packages that no endpoint needs to be there.
    repository.check_requirements = saml2.check_requirements = lambda *_args: None
    (folder / "key").write_text("ed25519 a_AAAA ZMhMgl3vQ/f0kmVHgVOjWxVO1xA1WlyxKOxZqgcbbtA\n")
    parsed = HomeServerConfig()
    parsed.parse_config_dict(config, str(folder), str(folder))
    return parsed


def roots(case: Case, folder: Path) -> dict[str, object]:
    """The root resource that the process gives a listener, for each resource that this can have, and for all at once."""
    from synapse.app import _base, generic_worker, homeserver

    names = listener_resources(case)
    lists = {name: [name] for name in names} | {"all": names}
    worker = PROCESSES[case.process].app is not None
    config = configuration(case, folder)
    config["worker_listeners" if worker else "listeners"] = [listener(names) for names in lists.values()]
    parsed = parse(config, folder)
    caught: list[object] = []

    def catch(_hs, _config, root, *_args, **_kwargs):
        caught.append(root)
        return []

    homeserver.listen_http = _base.listen_http = catch
    hs = (generic_worker if worker else homeserver).create_homeserver(parsed)
    hs.setup()
    for one in parsed.worker.worker_listeners if worker else parsed.server.listeners:
        if worker:
            hs._listen_http(one)
        else:
            hs._listener_http(parsed, one)
    return dict(zip(lists, caught, strict=True))
