"""What is said to people comes behind the data that was printed before it, where both go to one place."""

from __future__ import annotations

import os
import subprocess
import sys

SPEAKING = "from mesh.cli.console import emit, note; emit('data'); note('said'); emit('more data')"
LEFT_ALONE = "from mesh.cli.console import emit, note; emit('data'); note('said')"


def buffered() -> dict[str, str]:
    """As on most machines: Python keeps what it prints until there is enough of it."""
    return {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}


def test_data_and_what_is_said_keep_their_order_in_one_file() -> None:
    command = [sys.executable, "-c", SPEAKING]
    done = subprocess.run(
        command, env=buffered(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True, timeout=60
    )
    assert done.stdout == "data\nsaid\nmore data\n"


def test_a_reader_that_has_gone_keeps_nobody_from_being_told() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", LEFT_ALONE],
        env=buffered(),
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )
    os.close(writer)
    assert done.stderr.startswith("said\n")
