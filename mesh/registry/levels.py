"""Routes of settings: compatibility levels and modes, of one subject and of the whole registry."""

from __future__ import annotations

from typing import Any

from starlette.routing import Route

from mesh.registry import decisions
from mesh.registry.exchange import Call, reads, writes
from mesh.registry.refusal import Refusal
from mesh.registry.state import State


def level(call: Call) -> Any:
    """GET /config and /config/{subject}?defaultToGlobal=."""
    scope = call.path.get("subject")

    def ask(state: State) -> str:
        if scope is not None and scope not in state.levels and not call.flag("defaultToGlobal"):
            raise Refusal(40408, f"Subject '{scope}' does not have subject-level compatibility configured")
        return state.level(scope)

    return {"compatibilityLevel": call.registry.read(ask)}


def set_level(call: Call) -> Any:
    """PUT /config and /config/{subject}."""
    scope, wanted = call.path.get("subject"), call.body.get("compatibility")
    return {"compatibility": call.registry.write(lambda state: decisions.set_level(state, scope, wanted, call.caller))}


def clear_level(call: Call) -> Any:
    """DELETE /config and /config/{subject}."""
    scope = call.path.get("subject")
    return {"compatibilityLevel": call.registry.write(lambda state: decisions.clear_level(state, scope, call.caller))}


def mode(call: Call) -> Any:
    """GET /mode and /mode/{subject}?defaultToGlobal=."""
    scope = call.path.get("subject")

    def ask(state: State) -> str:
        if scope is not None and scope not in state.modes and not call.flag("defaultToGlobal"):
            raise Refusal(40409, f"Subject '{scope}' does not have subject-level mode configured")
        return state.mode(scope)

    return {"mode": call.registry.read(ask)}


def set_mode(call: Call) -> Any:
    """PUT /mode and /mode/{subject}."""
    scope, wanted = call.path.get("subject"), call.body.get("mode")
    return {"mode": call.registry.write(lambda state: decisions.set_mode(state, scope, wanted, call.caller))}


def clear_mode(call: Call) -> Any:
    """DELETE /mode and /mode/{subject}."""
    scope = call.path.get("subject")
    return {"mode": call.registry.write(lambda state: decisions.clear_mode(state, scope, call.caller))}


ROUTES: tuple[Route, ...] = tuple(
    route
    for scope in ("", "/{subject}")
    for route in (
        reads(f"/config{scope}", level),
        writes(f"/config{scope}", set_level, "PUT"),
        writes(f"/config{scope}", clear_level, "DELETE"),
        reads(f"/mode{scope}", mode),
        writes(f"/mode{scope}", set_mode, "PUT"),
        writes(f"/mode{scope}", clear_mode, "DELETE"),
    )
)
