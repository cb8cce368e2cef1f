"""The collector: folds manifests, parents and declarations into an index, and sends OpenLineage events of them."""

import signal
import sys
from argparse import ArgumentParser
from pathlib import Path

from mesh import Mesh, MeshError


def main() -> None:
    """Collect until SIGTERM or Ctrl-C; the next start goes on from what is in the index."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--index", type=Path, default=Path("lineage.db"), help="the file; deleted, it is made again")
    parser.add_argument("--until-end", action="store_true", help="stop when all that is there is in the index")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Mesh.connect() as mesh:
            mesh.collect_lineage(options.index, until_end=options.until_end)
    except MeshError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from None
    except KeyboardInterrupt:
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
