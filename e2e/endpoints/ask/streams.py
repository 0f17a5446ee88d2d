"""Streams: which there are, how many writers each may have, and where Synapse's code looks who they are."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

from cases import Case
from homeserver import ELSEWHERE, SELF, configuration, listener, parse

WRITERS = re.compile(r"\bwriters\.(\w+)")


def names() -> list[str]:
    import attr
    from synapse.config.workers import WriterLocations

    return sorted(field.name for field in attr.fields(WriterLocations))


def takes_several(stream: str, folder: Path) -> bool:
    """Whether Synapse accepts a configuration in which the stream has two writers."""
    from synapse.config._base import ConfigError

    config = configuration(Case("worker"), folder)
    config["worker_listeners"] = [listener(["client"])]
    config["stream_writers"] = {stream: [SELF, ELSEWHERE]}
    try:
        parse(config, folder)
    except ConfigError:
        return False
    return True


def decisions() -> dict[str, list[str]]:
    """By stream, the classes (or functions) of Synapse that ask who writes it, as "module.Class". What an endpoint does on
    a process that does not write the stream is decided there: a new name is a reason to look again."""
    root = Path(find_spec("synapse").submodule_search_locations[0])
    found: dict[str, set[str]] = {}
    for file in sorted(root.rglob("*.py")):
        source = file.read_text()
        if file.parent.name == "config" or not WRITERS.search(source):
            continue
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        for node in ast.parse(source).body:
            text = ast.get_source_segment(source, node) or ""
            for stream in WRITERS.findall(text):
                found.setdefault(stream, set()).add(f"{module}.{getattr(node, 'name', '')}")
    return {stream: sorted(places) for stream, places in sorted(found.items())}
