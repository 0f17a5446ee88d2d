"""How each feature is switched on in a homeserver.yaml."""

from pathlib import Path
from typing import Any, Callable

import yaml

# Switches that are no plain yes, or that do nothing but add a room version; cases.py has the former apart.
APART = {"msc4512_enabled", "msc1767_enabled", "msc4242_enabled"}

# Below this an application service may answer clients and servers itself (MSC4512).
PROXY_PREFIX = "rtc/livekit"

Switch = Callable[[dict, Path], None]


def key(name: str, value: Any) -> Switch:
    def switch(config: dict, _folder: Path) -> None:
        config[name] = value

    return switch


def experimental(name: str, value: Any = True) -> Switch:
    def switch(config: dict, _folder: Path) -> None:
        config["experimental_features"][name] = value

    return switch


def msc4512(config: dict, folder: Path) -> None:
    registration = {
        "id": "as", "url": None, "as_token": "at", "hs_token": "ht", "sender_localpart": "s", "namespaces": {},
        "rate_limited": False, "io.element.msc4512.proxy_prefix": PROXY_PREFIX,
        "io.element.msc4512.proxy_url": "http://127.0.0.1:18996",
    }
    (folder / "appservice.yaml").write_text(yaml.safe_dump(registration))
    config["experimental_features"]["msc4512_enabled"] = True
    config["app_service_config_files"] = [str(folder / "appservice.yaml")]


def federation_whitelist(config: dict, _folder: Path) -> None:
    config.update(federation_whitelist_endpoint_enabled=True, federation_domain_whitelist=["example.org"])


def url_preview(config: dict, _folder: Path) -> None:
    config.update(url_preview_enabled=True, url_preview_ip_range_blacklist=["10.0.0.0/8"])


def email(config: dict, _folder: Path) -> None:
    config["email"] = {"smtp_host": "127.0.0.1", "notif_from": "x <x@example.org>"}


def user_consent(config: dict, folder: Path) -> None:
    pages = folder / "consent" / "en"
    pages.mkdir(parents=True, exist_ok=True)
    for page in ("1.html", "success.html"):
        (pages / page).write_text("x")
    config["user_consent"] = {"version": "1", "template_dir": str(folder / "consent")}


def oidc(config: dict, _folder: Path) -> None:
    config["oidc_providers"] = [{
        "idp_id": "o", "idp_name": "O", "discover": False, "issuer": "https://o.example/", "client_id": "a",
        "client_secret": "b", "scopes": ["openid"], "authorization_endpoint": "https://o.example/a",
        "token_endpoint": "https://o.example/t", "jwks_uri": "https://o.example/j", "backchannel_logout_enabled": True,
    }]


def saml2(config: dict, _folder: Path) -> None:
    from synapse.handlers import saml

    # Its client wants xmlsec1 and an identity provider's metadata; the endpoints do not.
    saml.Saml2Client = lambda *_args, **_kwargs: None
    config["saml2_config"] = {"sp_config": {"metadata": {}, "xmlsec_binary": "/bin/true"}}
