"""``mesh platform init``: the platform's own users, topics and rights on a cluster that `mesh up` does not run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.access import ADMIN, secret_for
from mesh.cli.console import note, told
from mesh.embedded.folder import DataFolder
from mesh.embedded.platform import furnish
from mesh.kafka import Connection
from mesh.settings import Settings
from mesh.types import Principal

app = typer.Typer(help="The platform on a cluster of your own.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The platform on a cluster of your own."""


@app.command()
@told
def init(
    config: Annotated[Path | None, typer.Option(help="mesh.yaml; else the usual places")] = None,
) -> None:
    """Prepare a cluster for the registry and the gates; what is there already stays as it is."""
    settings = Settings.load(config)
    connection = Connection.of(settings, ADMIN)
    furnish(connection, _Secrets(settings))
    note(f"the platform is ready on {connection.bootstrap}")


class _Secrets(DataFolder):
    """The secrets of a mesh that runs elsewhere, where its settings keep them."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.folder)
        self._settings = settings

    def secret(self, principal: str) -> str:
        """The password of a platform principal; a random one at first, where secrets are kept in files."""
        return secret_for(self._settings, Principal(principal)).get_secret_value()

    def has_secret(self, principal: str) -> bool:
        """Whether there is a password already."""
        path = self._settings.secret_path(principal)
        return path is None or path.exists()
