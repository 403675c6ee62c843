"""`loupe pixels`."""

import json
from typing import Any

import pytest

from service.cli.proofs import Deleted, file_proof
from tests.support.command_line import ORDER, ORDER_ID, PLAN, PLAN_ID, PlayedServer, loupe

DELETED = {
    "deleted_at": "2026-11-29T22:10:03+00:00", "deleted_by": "abcdefgh", "files": ["aa", "bb"],
    "freed_bytes": 12_345,
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "path", "document", "said"),
    [
        (("--plan", PLAN_ID), f"/v1/plans/{PLAN_ID}", PLAN, f"the scene of plan {PLAN_ID}"),
        (("--order", ORDER_ID), f"/v1/orders/{ORDER_ID}", ORDER, f"what was delivered for order {ORDER_ID}"),
    ],
)
def test_delete_asks_and_says_what_was_freed(
    server: PlayedServer, words: tuple[str, ...], path: str, document: Any, said: str
) -> None:
    server.routes |= {f"GET {path}": (200, document), f"DELETE {path}/pixels": (200, DELETED)}

    done = loupe("pixels", "delete", *words, typed="y\n")

    assert f"Delete the pixels of {said}? They cannot be brought back." in done.output
    assert f"Deleted since 2026-11-29 22:10 UTC: the pixels of {said}." in done.output
    assert "2 files, 12,345 bytes freed now." in done.output
    assert done.exit_code == 0


def test_delete_without_consent_deletes_nothing(server: PlayedServer) -> None:
    server.routes[f"GET /v1/plans/{PLAN_ID}"] = (200, PLAN)

    assert loupe("pixels", "delete", "--plan", PLAN_ID, typed="n\n").exit_code == 1
    assert [request.method for request in server.asked] == ["GET"]


@pytest.mark.parametrize("words", [(), ("--plan", PLAN_ID, "--order", ORDER_ID)])
def test_delete_needs_one_thing_to_delete(server: PlayedServer, words: tuple[str, ...]) -> None:
    done = loupe("pixels", "delete", "--yes", *words)

    assert (done.exit_code, server.asked) == (1, [])
    assert "Give either --plan PLAN or --order ORDER." in done.output


def test_retention_changes_only_what_is_given(server: PlayedServer) -> None:
    server.routes["GET /v1/retention"] = (200, {"scene_days": 30, "delivery_days": 365})
    server.routes["PUT /v1/retention"] = (200, {"scene_days": None, "delivery_days": 365})

    done = loupe("pixels", "retention", "--scenes", "unlimited")

    assert json.loads(server.asked[-1].content) == {"scene_days": None, "delivery_days": 365}
    assert "Scenes: kept until somebody deletes them." in done.output
    assert "Deliveries: deleted 365 days after the last file of their order came." in done.output


def test_retention_is_shown_without_a_change(server: PlayedServer) -> None:
    server.routes["GET /v1/retention"] = (200, {"scene_days": 1, "delivery_days": None})

    assert "Scenes: deleted 1 day after they were last planned." in loupe("pixels", "retention").output
    assert [request.method for request in server.asked] == ["GET"]


def test_retention_refuses_what_is_no_number(server: PlayedServer) -> None:
    server.routes["GET /v1/retention"] = (200, {"scene_days": None, "delivery_days": None})

    assert '"soon" is no number of days.' in loupe("pixels", "retention", "--scenes", "soon").output


def test_proof_of_deleted_pixels_says_when_and_by_whom() -> None:
    shown = file_proof("input", "stored scene", "aa", Deleted("2026-11-29T22:10:03+00:00", None))

    assert shown["holds"] is None
    assert shown["rule"] == (
        "the stored scene had this SHA-256; its pixels were deleted on 2026-11-29 22:10 UTC "
        "by the workspace's retention"
    )
