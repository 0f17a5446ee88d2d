"""What a root resource serves: a walk through Twisted's tree and the patterns of Synapse's own resources in it."""

import re
from dataclasses import dataclass, field

RENDERER = re.compile(r"(?:_async_render|render)_(GET|POST|PUT|DELETE)")


@dataclass(frozen=True, order=True)
class Endpoint:
    regex: str
    method: str
    servlet: str
    # Synapse tries the patterns of a resource in the order in which they were registered.
    rank: int = field(default=0, compare=False)


def endpoints(root) -> set[Endpoint]:
    found: set[Endpoint] = set()
    _walk(root, "", found)
    return found


def _walk(resource, path: str, found: set[Endpoint]) -> None:
    from synapse.http.server import JsonResource, OptionsResource, UnrecognizedRequestResource
    from twisted.web.resource import EncodingResourceWrapper

    if isinstance(resource, EncodingResourceWrapper):
        resource = resource.original
    if isinstance(resource, JsonResource):
        found |= _servlets(resource, path)
        return
    # OptionsResource answers a preflight and 404s all else, but its descendant at the root redirects.
    if not isinstance(resource, UnrecognizedRequestResource) and not (path and type(resource) is OptionsResource):
        found |= _renderers(resource, path)
    for name, child in resource.children.items():
        _walk(child, f"{path}/{name.decode()}", found)


def _servlets(resource, mount: str) -> set[Endpoint]:
    """The patterns of a resource that can match below its mount: ClientRestResource registers some that cannot."""
    return {
        Endpoint(_anchored(pattern.pattern), method.decode(), entry.servlet_classname, rank)
        for rank, (pattern, methods) in enumerate(resource._routes.items())
        for method, entry in methods.items()
        if _beginning(pattern.pattern).startswith(mount + "/")
    }


def _renderers(resource, path: str) -> set[Endpoint]:
    """A page of its own. A leaf gets everything below it, and so does Twisted's File, which serves a folder."""
    from twisted.web.static import File

    methods = {found[1] for name in dir(resource) if (found := RENDERER.fullmatch(name))}
    below = "(/.*)?" if resource.isLeaf or isinstance(resource, File) else ""
    regex = f"^{re.escape(path) or '/'}{below}$"
    return {Endpoint(regex.replace(r"\-", "-"), method, type(resource).__name__) for method in methods}


def _anchored(pattern: str) -> str:
    """Synapse matches with re.match, for which a leading ^ is nothing new."""
    return "^" + pattern.removeprefix("^")


def _beginning(pattern: str) -> str:
    """The literal that every path of the pattern begins with. Version alternatives end it; no mount goes on after them but
    the media repository's, which is mounted at each version and matches any."""
    literal = re.split(r"[\\(\[.]", pattern.removeprefix("^"), maxsplit=1)[0]
    return "/_matrix/media/r0/" if literal == "/_matrix/media/" else literal
