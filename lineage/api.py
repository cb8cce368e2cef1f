"""The API: trace, why, impact, graph, columns and reconcile as JSON over HTTP, each answered as whoever asks."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from mesh import Mesh, MeshError


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, default=Path("lineage.db"), help="the collector's file")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8082, help="the port")
    options = parser.parse_args()
    try:
        with Mesh.connect() as mesh:
            mesh.serve_lineage(options.index, options.host, options.port, lambda url: _say(f"lineage at {url}"))
    except MeshError as error:
        _say(f"error: {error}")
        raise SystemExit(error.exit_code) from None


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
