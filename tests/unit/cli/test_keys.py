"""`loupe me`, `loupe audit` and `loupe delegations`."""

import json

from tests.support.command_line import PlayedServer, loupe

KEY = {"id": "abcdefgh", "name": "office", "holder": "ijklmnop", "role": "buyer"}
LENT = {
    "id": "7", "lender": "abcdefgh", "borrower": "ijklmnop", "created_at": "2026-11-29T10:00:00Z",
    "ends_at": "2026-12-24T00:00:00Z", "by": "abcdefgh",
}  # fmt: skip


def test_me_shows_role_rights_and_expiry(server: PlayedServer) -> None:
    me = {"workspace": {"id": "1", "name": "harbours"}, "key": KEY, "rights": ["view", "buy"]}
    server.routes["GET /v1/me"] = (200, me)
    shown = loupe("me").stdout
    assert [line.strip().split(None, 1) for line in shown.splitlines()] == [
        ["Workspace", "harbours"], ["Key", "abcdefgh (office)"], ["Holder", "ijklmnop"], ["Role", "buyer"],
        ["May", "view, buy"], ["Expires", "never"],
    ]  # fmt: skip

    server.routes["GET /v1/me"] = (200, me | {"key": KEY | {"expires_at": "2030-01-01T00:00:00Z"}})
    assert "2030-01-01 00:00" in loupe("me").stdout


def test_audit_shows_the_events_of_a_kind(server: PlayedServer) -> None:
    event = {
        "id": "1", "at": "2026-11-29T10:00:00Z", "kind": "refused-key", "address": "192.0.2.7",
        "detail": {"reason": "wrong"}, "times": 12,
    }  # fmt: skip
    server.routes["GET /v1/audit"] = (200, {"items": [event], "links": []})

    shown = loupe("audit", "--kind", "refused-key").stdout.splitlines()[-1].split()
    assert dict(server.asked[0].url.params) == {"limit": "20", "kind": "refused-key"}
    assert shown == ["2026-11-29", "10:00:00", "refused-key", "-", "-", "192.0.2.7", "12", "reason", "wrong"]

    server.routes["GET /v1/audit"] = (200, {"items": [], "links": []})
    assert loupe("audit").stdout == "There are no such events.\n"
    assert dict(server.asked[1].url.params) == {"limit": "20"}


def test_delegations_are_lent_listed_and_ended(server: PlayedServer) -> None:
    server.routes["POST /v1/delegations"] = (201, LENT)
    lent = loupe("delegations", "lend", "ijklmnop", "--until", "2026-12-24", "--note", "holidays")

    assert json.loads(server.asked[0].content) == {
        "holder": "ijklmnop", "ends_at": "2026-12-24T00:00:00Z", "note": "holidays",
    }  # fmt: skip
    assert "2026-12-24 00:00" in lent.stdout
    assert lent.stdout.splitlines()[-1].endswith("loupe delegations end 7")

    server.routes["GET /v1/delegations"] = (200, {"items": [LENT], "links": []})
    assert "ijklmnop" in loupe("delegations", "list").stdout
    server.routes["POST /v1/delegations/7/end"] = (200, LENT)
    assert loupe("delegations", "end", "7").stdout == "The approval is taken back.\n"
