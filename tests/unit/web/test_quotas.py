"""Quotas: a bucket that fills evenly, requests at the same time, and who counts for which."""

import pytest

from service.web.limits import Quotas, TooManyRequestsError, Visit, address_of
from service.web.quotas import MOST_METERS, Allowance, Excess, Meters, Quota

QUOTA = Quota(name="key", requests=60, window_s=60, at_once=3)


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meters(clock: Clock) -> Meters:
    return Meters(clock)


def send(meters: Meters, quota: Quota = QUOTA, subject: str = "a") -> Allowance | Excess:
    """Begin and end a request."""
    found = meters.enter(quota, subject)
    if isinstance(found, Allowance):
        meters.leave(quota, subject)
    return found


def test_bucket_empties_and_fills_evenly(meters: Meters, clock: Clock) -> None:
    first = send(meters)
    assert first == Allowance(quota=QUOTA, remaining=59, full_in_s=1)
    last = [send(meters) for _ in range(59)][-1]
    assert last == Allowance(quota=QUOTA, remaining=0, full_in_s=60)
    assert send(meters) == Excess(quota=QUOTA, at_once=False, retry_after_s=1)

    clock.now = 2.5
    assert [isinstance(send(meters), Allowance) for _ in range(3)] == [True, True, False]
    clock.now = 10_000
    assert send(meters) == first


def test_subjects_have_buckets_of_their_own(meters: Meters) -> None:
    for _ in range(61):
        send(meters, subject="a")
    assert isinstance(send(meters, subject="b"), Allowance)


def test_requests_at_the_same_time_are_bounded(meters: Meters) -> None:
    assert [isinstance(meters.enter(QUOTA, "a"), Allowance) for _ in range(3)] == [True] * 3
    assert meters.enter(QUOTA, "a") == Excess(quota=QUOTA, at_once=True, retry_after_s=1)
    meters.leave(QUOTA, "a")
    assert isinstance(meters.enter(QUOTA, "a"), Allowance)


def test_meters_forget_the_subject_that_was_silent_longest(meters: Meters) -> None:
    meters.enter(QUOTA, "under way")
    for subject in ("silent", "known", *map(str, range(MOST_METERS - 3)), "known", "new"):
        send(meters, subject=subject)

    kept = meters._meters[QUOTA.name]
    assert len(kept) == MOST_METERS
    assert {"under way", "known", "new"} <= set(kept)
    assert "silent" not in kept
    assert send(meters, subject="known") == Allowance(quota=QUOTA, remaining=57, full_in_s=3)


def test_any_number_of_addresses_leaves_keys_counted_and_memory_bounded(meters: Meters) -> None:
    addresses = Quota(name="address", requests=60, window_s=60, at_once=3)
    send(meters, subject="key")
    for number in range(3 * MOST_METERS):
        send(meters, addresses, str(number))

    assert len(meters._meters["address"]) == MOST_METERS
    assert send(meters, subject="key") == Allowance(quota=QUOTA, remaining=58, full_in_s=2)


def visit(meters: Meters, key_requests: int = 60) -> Visit:
    quotas = Quotas(
        key=Quota(name="key", requests=key_requests, window_s=60, at_once=3),
        workspace=Quota(name="workspace", requests=120, window_s=60, at_once=3),
        address=Quota(name="address", requests=1, window_s=60, at_once=3),
        sign_in=Quota(name="sign-in", requests=1, window_s=60, at_once=3),
    )
    return Visit(meters, quotas, "127.0.0.1")


def test_visit_tells_the_client_where_it_stands(meters: Meters) -> None:
    one = visit(meters)
    one.admit("workspace 1", "key 1")
    assert one.headers() == {
        "ratelimit-policy": '"key";q=60;w=60, "workspace";q=120;w=60',
        "ratelimit": '"key";r=59;t=1, "workspace";r=119;t=1',
    }


def test_refused_visit_gives_back_what_it_had(meters: Meters) -> None:
    first = visit(meters, key_requests=1)
    first.admit("workspace 1", "key 1")
    first.leave()
    for _ in range(4):  # more than may be under way at once
        one = visit(meters, key_requests=1)
        with pytest.raises(TooManyRequestsError, match="This key may send 1 requests in 60 s") as refused:
            one.admit("workspace 1", "key 1")
        assert refused.value.answer_headers() == {"Retry-After": "60"}
        one.leave()
    visit(meters).admit("workspace 1", "key 2")


def test_stranger_counts_once_for_its_address(meters: Meters) -> None:
    one = visit(meters)
    one.admit_stranger()
    one.admit_stranger()
    with pytest.raises(TooManyRequestsError, match="This address may send 1 requests"):
        visit(meters).admit_stranger()


@pytest.mark.parametrize(
    ("hosts", "same"),
    [
        (("192.0.2.1", "192.0.2.2"), False),
        (("2001:db8::1", "2001:db8::ffff:2"), True),
        (("2001:db8::1", "2001:db8:0:1::1"), False),
        (("testclient", "testclient"), True),
    ],
)
def test_addresses_of_one_network_of_ipv6_are_the_same(hosts: tuple[str, str], same: bool) -> None:
    one, other = (address_of({"type": "http", "client": (host, 1)}) for host in hosts)
    assert (one == other) == same
