"""Runs functions in forked children: Synapse is imported once, and what it keeps in its modules dies with the child."""

import json
import os
import shutil
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, Callable

Work = Callable[[Any, Path], Any]


def each(work: Work, items: list, database: Path | None) -> list:
    """Gives work(item, folder) for each item, in their order; answers must be JSON. A child's folder is empty, or has a copy
    of the database. Where there is none yet, the first child's becomes it. A child that fails ends the program."""
    answers: dict[int, Any] = {}
    running: dict[int, int] = {}  # by process, the item's index
    with tempfile.TemporaryDirectory() as name:
        for i, item in enumerate(items):
            if len(running) == os.cpu_count():
                _collect(running, answers, Path(name), items, database)
            folder = Path(name, str(i))
            folder.mkdir()
            if database and database.exists():
                (folder / "hs.db").write_bytes(database.read_bytes())
            running[_start(work, item, folder)] = i
        while running:
            _collect(running, answers, Path(name), items, database)
    return [answers[i] for i in range(len(items))]


def _collect(running: dict[int, int], answers: dict[int, Any], parent: Path, items: list, database: Path | None) -> None:
    """Waits for the child that is ready next."""
    child, status = os.wait()
    i = running.pop(child)
    folder = parent / str(i)
    if status:
        raise SystemExit(f"{items[i]}:\n{(folder / 'error').read_text()}")
    answers[i] = json.loads((folder / "answer").read_text())
    if database and not database.exists():
        (folder / "hs.db").rename(database)
    shutil.rmtree(folder)


def _start(work: Work, item: Any, folder: Path) -> int:
    child = os.fork()
    if child:
        return child
    try:
        # Synapse's own chatter.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.dup2(os.open(folder / "log", os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
        (folder / "answer").write_text(json.dumps(work(item, folder)))
    except BaseException:
        (folder / "error").write_text(traceback.format_exc())
        os._exit(1)
    os._exit(0)  # at once: there may be threads and a reactor that nobody stops
