"""Flights that the register leads to an aircraft which cannot have flown them: two seats or fewer."""

from typing import Any

from mesh import Processor, Record

MOST_SEATS = 2
LEGAL_FORMS = {"CO", "CORP", "INC", "LTD"}

unlikely = Processor("safety.unlikely-aircraft")


@unlikely.each("operations.flights")
def doubt(flight: Record, step: Any) -> dict[str, Any] | None:
    """A home-built two-seater flies no scheduled service: the registration is used twice, or reported wrongly."""
    reported = flight.value
    if reported is None or reported["tailnum"] is None:
        return None
    aircraft = step.lookup("fleet.aircraft", reported["tailnum"])
    registered = aircraft.value if aircraft is not None else None
    if registered is None or registered["seats"] > MOST_SEATS:
        return None
    kept = ("carrier", "flight", "origin", "scheduled_at", "tailnum")
    return {name: reported[name] for name in kept} | {
        "maker": registered["manufacturer"],
        "model": registered["model"],
        "seats": registered["seats"],
        "home_built": built_by_a_person(registered["manufacturer"]),
    }


def built_by_a_person(maker: str) -> bool:
    """Whether a maker of two-seaters is no company: companies go by one word, or by their legal form."""
    words = maker.split()
    return len(words) > 1 and words[-1] not in LEGAL_FORMS


if __name__ == "__main__":
    unlikely.main()
