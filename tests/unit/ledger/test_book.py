"""Shares sum exactly, and the hash chain shows every change."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.ledger.book import (
    GENESIS,
    ROUTES,
    Account,
    Movement,
    Transfer,
    allocate,
    first_break,
    transfer_hash,
)
from service.money import Money
from tests.support.money import cents


def make_chain(length: int = 3) -> list[Transfer]:
    """Make a whole chain of one workspace, with seq 1, 2, 3 ..."""
    transfers: list[Transfer] = []
    for seq in range(1, length + 1):
        draft = Transfer(
            id=UUID(int=seq),
            workspace_id=UUID(int=100),
            seq=seq,
            kind=Movement.FUND,
            budget_id=UUID(int=200),
            from_account=1,
            to_account=2,
            amount=cents(100 * seq),
            hold_id=None,
            at=datetime(2026, 11, 22, 17, 0, seq, tzinfo=UTC),
            reference="budget:1",
            previous_hash=transfers[-1].hash if transfers else GENESIS,
            hash=b"",
        )
        transfers.append(replace(draft, hash=transfer_hash(draft)))
    return transfers


@given(total=st.integers(0, 10**12), patches=st.integers(1, 300))
def test_allocate_sums_to_the_total_with_shares_one_unit_apart(total: int, patches: int) -> None:
    shares = [allocate(cents(total), patches, index).minor for index in range(patches)]

    assert sum(shares) == total
    assert max(shares) - min(shares) <= 1


@pytest.mark.parametrize(("total", "patches", "index"), [(-1, 4, 0), (10, 4, 4), (10, 4, -1), (10, 0, 0)])
def test_allocate_refuses_an_index_outside_the_patches(total: int, patches: int, index: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        allocate(cents(total), patches, index)


def test_first_break_of_a_whole_chain_is_none() -> None:
    assert first_break(make_chain()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": UUID(int=9)},
        {"workspace_id": UUID(int=9)},
        {"kind": Movement.DEFUND},
        {"budget_id": UUID(int=9)},
        {"from_account": 3},
        {"to_account": 3},
        {"amount": Money(200, "EUR")},
        {"amount": cents(1)},
        {"hold_id": UUID(int=9)},
        {"at": datetime(2026, 11, 22, 17, 0, 2, 1, tzinfo=UTC)},  # one microsecond
        {"reference": "budget:2"},
        {"previous_hash": GENESIS},
        {"hash": bytes(32)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_first_break_finds_a_change_of_any_field(change: dict[str, object]) -> None:
    chain = make_chain()
    chain[1] = replace(chain[1], **change)  # type: ignore[arg-type]  # each value fits its field

    assert first_break(chain) == 2


def test_first_break_finds_a_lost_or_swapped_transfer() -> None:
    first, second, third = make_chain()

    assert first_break([first, third]) == 2
    assert first_break([second, first, third]) == 1


def test_first_break_finds_a_forged_hash_at_the_next_transfer() -> None:
    chain = make_chain()
    forged = replace(chain[1], amount=cents(1))
    chain[1] = replace(forged, hash=transfer_hash(forged))

    assert first_break(chain) == 3


def test_transfer_hash_ignores_the_time_zone() -> None:
    transfer = make_chain(1)[0]
    elsewhere = transfer.at.astimezone(tz=datetime.now().astimezone().tzinfo) + timedelta(0)

    assert transfer_hash(replace(transfer, at=elsewhere)) == transfer.hash


def test_routes_join_two_accounts_for_every_movement() -> None:
    assert set(ROUTES) == set(Movement)
    assert all(source is not target for source, target in ROUTES.values())
    assert {account for route in ROUTES.values() for account in route} == set(Account)
