"""Asks the installed Synapse which endpoints its processes really register, and prints the answer as JSON.

    python e2e/endpoints/ask > answer.json

It makes the resources of main and of each kind of worker as these processes do when they start, with everything switched
on, and looks what is in them. Nothing listens, no database server is needed. Needs Synapse and requirements.txt.
"""

import json
import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from synapse.app import generic_worker, homeserver as _main  # noqa: F401  imported once, for all children

import fork
import streams
from cases import PROCESSES, Case, Feature, features
from homeserver import listener_resources, roots
from resources import Endpoint, endpoints

Served = dict[Endpoint, list[str]]  # by endpoint, the resources one of which a listener must have


def ask(case: Case, folder: Path) -> list:
    return [
        [resource, [endpoint.regex, endpoint.method, endpoint.servlet, endpoint.rank]]
        for resource, root in roots(case, folder).items()
        for endpoint in endpoints(root)
    ]


def understand(case: Case, answer: list) -> Served:
    """Turns a child's answer round. One listener with all resources must serve what listeners with one each do."""
    served: Served = {}
    for resource, endpoint in answer:
        served.setdefault(Endpoint(*endpoint), []).append(resource)
    for endpoint, by in served.items():
        if "all" not in by or len(by) == 1:
            raise SystemExit(f"{case}: {endpoint}: only a listener with {by}; resources are no longer independent")
        by.remove("all")
        if set(by) == set(listener_resources(case)):
            by[:] = ["any"]
    return served


def every_feature(known: dict[str, Feature], delegated: bool) -> frozenset[str]:
    return frozenset(f.name for f in known.values() if (f.delegated if delegated else f.native))


def feature_case(feature: Feature) -> tuple[Case, Case]:
    """The main process with and without one feature."""
    base = Case("main_with_media", delegated=not feature.native, features=frozenset(feature.needs))
    return base, base.with_features(base.features | {feature.name})


def cases(known: dict[str, Feature]) -> list[Case]:
    """Everything that is asked, each once; the first makes the database."""
    full = [
        Case(process, delegated, every_feature(known, delegated)) for delegated in (False, True) for process in PROCESSES
    ]
    worker = next(case for case in full if case.process == "worker_with_media" and not case.delegated)
    # What a process writes, or does in the background, should not decide what it registers.
    variants = [replace(worker, writes=frozenset([stream])) for stream in streams.names()] + [replace(worker, duties=True)]
    pairs = [case for feature in known.values() for case in feature_case(feature)]
    plain = [Case("main_with_media"), Case("main_with_media", delegated=True)]
    return list(dict.fromkeys(full + variants + pairs + plain))


def check(served: dict[Case, Served]) -> None:
    """What the table takes for granted."""
    for case, by in served.items():
        if case.writes or case.duties:
            same(by, served[replace(case, writes=frozenset(), duties=False)], case)
        if case.process == "media_repository":
            same(by, served[replace(case, process="worker_with_media")], case)


def same(a: Served, b: Served, case: Case) -> None:
    if a != b:
        raise SystemExit(f"{case}: other endpoints than expected: {sorted(a.keys() ^ b.keys())}; the table cannot say that")


def table(served: dict[Case, Served], known: dict[str, Feature]) -> list[dict]:
    """One entry an endpoint: by whom it is served, natively and with delegated authentication, and what it needs."""
    wanted = {case: by for case, by in served.items() if case.features == every_feature(known, case.delegated)}
    entries = {
        (regex, method): {"regex": regex, "method": method, "servlets": [], "features": [], "native": {}, "delegated": {}}
        for regex, method in sorted(set().union(*map(keys, wanted.values())))
    }
    for case, by in wanted.items():
        if case.writes or case.duties or case.process == "media_repository":
            continue
        for endpoint, names in by.items():
            entry = entries[endpoint.regex, endpoint.method]
            entry.setdefault("rank", endpoint.rank)
            entry["delegated" if case.delegated else "native"][case.process] = names
    for case in sorted(served, key=lambda case: len(case.features)):  # the usual servlet first
        for endpoint in served[case]:
            servlets = entries[endpoint.regex, endpoint.method]["servlets"]
            if endpoint.servlet not in servlets:
                servlets.append(endpoint.servlet)
    for key, names in needed(served, known).items():
        entries[key]["features"] = sorted(names)
    explained(entries, served)
    return list(entries.values())


def explained(entries: dict, served: dict[Case, Served]) -> None:
    """Each endpoint must be there by default, or with one feature. One that wants two needs a Feature with needs."""
    default = keys(served[Case("main_with_media")]) | keys(served[Case("main_with_media", delegated=True)])
    for key, entry in entries.items():
        if not entry["features"] and key not in default:
            raise SystemExit(f"{key}: no feature alone brings it: say in cases.py which need others")


def needed(served: dict[Case, Served], known: dict[str, Feature]) -> dict[tuple[str, str], set[str]]:
    """By endpoint, the features any one of which brings it."""
    brought: dict[tuple[str, str], set[str]] = {}
    for feature in known.values():
        without, with_it = (keys(served[case]) for case in feature_case(feature))
        for key in with_it - without:
            brought.setdefault(key, set()).add(feature.name)
    return brought


def keys(by: Served) -> set[tuple[str, str]]:
    return {(endpoint.regex, endpoint.method) for endpoint in by}


def main() -> None:
    known = features()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "schema.db")
        first, *others = cases(known)
        answers = fork.each(ask, [first], database) + fork.each(ask, others, database)
        several = fork.each(streams.takes_several, streams.names(), None)
    served = {case: understand(case, answer) for case, answer in zip([first, *others], answers, strict=True)}
    check(served)
    decided = streams.decisions()
    json.dump({
        "synapse": version("matrix-synapse"),
        "streams": {
            name: {"several": yes, "decided_in": decided.get(name, [])}
            for name, yes in zip(streams.names(), several, strict=True)
        },
        "endpoints": table(served, known),
    }, sys.stdout, indent=1)


main()
