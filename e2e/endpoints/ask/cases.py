"""What is asked of Synapse: kinds of process, with and without delegated authentication, and what brings endpoints."""

import re
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Callable

import switches


@dataclass(frozen=True)
class Process:
    """A kind of process. It loads the media repository where its configuration says enable_media_repo."""

    app: str | None
    media_repo: bool


PROCESSES = {
    "main_with_media": Process(None, True),
    "main": Process(None, False),
    "worker": Process("synapse.app.generic_worker", False),
    "worker_with_media": Process("synapse.app.generic_worker", True),
    # The one historical app that is more than another name: it loads the media repository whatever the file says.
    "media_repository": Process("synapse.app.media_repository", False),
}


@dataclass(frozen=True)
class Feature:
    """Something that is off by default and may bring endpoints."""

    name: str
    switch: Callable[[dict, Path], None]
    needs: tuple[str, ...] = ()
    native: bool = True  # whether it can be on where Synapse does logins itself
    delegated: bool = True


@dataclass(frozen=True)
class Case:
    """One process whose endpoints are wanted."""

    process: str
    delegated: bool = False
    features: frozenset[str] = frozenset()
    writes: frozenset[str] = field(default_factory=frozenset)  # the streams that the process writes
    duties: bool = False  # whether it has all background work that a worker can be given

    def with_features(self, features: frozenset[str]) -> "Case":
        return replace(self, features=features)


# Switches that Synapse refuses, or that bring nothing, without another.
NEEDS = {"msc3890_enabled": ("msc3391_enabled",), "msc1763_enabled": ("retention",)}


def experimental() -> list[Feature]:
    """The yes-or-no switches of the installed Synapse: read from its source, so that new ones are tried, too."""
    source = Path(find_spec("synapse").submodule_search_locations[0], "config", "experimental.py").read_text()
    names = re.findall(r'experimental\.get\(\s*"(\w+)",\s*False,?\s*\)', source)
    return [
        Feature(
            name,
            switches.experimental(name),
            needs=NEEDS.get(name, ()),
            native=name != "msc4108_enabled",
        )
        for name in dict.fromkeys(names)
        if name not in switches.APART
    ]


def features() -> dict[str, Feature]:
    every = experimental() + [
        Feature("msc3866", switches.experimental("msc3866", {"enabled": True})),
        Feature("msc4388_mode", switches.experimental("msc4388_mode", "open"), native=False),
        Feature("msc4512_enabled", switches.msc4512),
        Feature("max_event_delay_duration", switches.key("max_event_delay_duration", "24h")),
        Feature("retention", switches.key("retention", {"enabled": True})),
        Feature("account_validity", switches.key("account_validity", {"enabled": True, "period": "6w"})),
        Feature("federation_whitelist_endpoint_enabled", switches.federation_whitelist),
        Feature("url_preview_enabled", switches.url_preview),
        Feature("email", switches.email),
        Feature("refreshable_access_token_lifetime", switches.key("refreshable_access_token_lifetime", "5m"), delegated=False),
        Feature("login_via_existing_session", switches.key("login_via_existing_session", {"enabled": True}), delegated=False),
        Feature("user_consent", switches.user_consent, delegated=False),
        Feature("oidc_providers", switches.oidc, delegated=False),
        Feature("saml2_config", switches.saml2, delegated=False),
        Feature("cas_config", switches.key("cas_config", {"enabled": True, "server_url": "https://cas.example"}), delegated=False),
    ]
    return {feature.name: feature for feature in every}
