"""The words of the pages with their meanings. Where a word is first met, it leads to its meaning. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from service.ledger.book import Movement

PAGE = "/dashboard/words"
MOVEMENTS: Mapping[Movement, str] = MappingProxyType(
    {
        Movement.FUND: "grant to a budget",
        Movement.DEFUND: "withdrawal of a grant",
        Movement.EXTEND: "grant beyond the limit",
        Movement.RETRACT: "withdrawal of a grant beyond the limit",
        Movement.RESERVE: "hold for an order",
        Movement.SETTLE: "payment from a hold",
        Movement.RELEASE: "return of a hold",
        Movement.REFUND: "return of a payment",
        Movement.CHARGE: "later charge for an order",
    }
)
"""Each movement of money as pages explain it."""
GROUPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "Imagery": {
            "Scene": "A low-resolution GeoTIFF that you sent. It is cut into tiles.",
            "Tile": "One square of a scene, which gets one label. The bundle says how large it is.",
            "Patch": "One sixteenth of a tile: what is bought, or not.",
            "Bundle": "A set of networks that decides what to buy and labels tiles, with its evaluation.",
            "Task": "What a plan pays for: correct labels, correct counts, or objects in bought patches.",
            "Utility": "What a patch is worth for the task of its plan. Patches with more are bought first.",
            "Brightness": "The mean grey value of scenes as the bundle sees them, from 0 (black) to 255 "
            "(white). It is measured at up to 256 places of each scene.",
            "Contrast": "The standard deviation of the same grey values: 0 if all ground looks alike.",
            "Threshold": "The least utility with which a patch was bought when the curve was measured.",
            "Operating point": "The point of its curve at which a bundle buys if a plan names no other aim.",
            "Doubts": "What speaks against a file that was accepted, such as colours or a place unlike its "
            "scene's. It is paid; look at it before you use it.",
        },
        "Plans and orders": {
            "Plan": "What to buy of a scene at the prices of one price list, and what it costs. It spends "
            "nothing, and never changes.",
            "Standing": "What can become of a plan now: it can be ordered, is ordered, was replaced by a "
            "newer plan, has expired prices, or buys nothing.",
            "Price list": "The prices and rules of one product of a provider. It never changes; new prices "
            "are a new version.",
            "Order": "The patches of one plan that are being bought. Its cost is held in a budget.",
            "Due": "The time at which an order ends. Patches that have not been handed in by then are not "
            "bought, and their money is released.",
            "Owner": "The holder of the key that placed the order.",
            "Status of an order": "Held: it waits until the holder of another key approves it. Accepted: its "
            "money is set aside. Processing: some patches were handed in. Completed: all were. Cancelled, "
            "rejected, expired: it has ended, and what was not handed in is not paid.",
            "Round": "One plan and order of a scene. A later round knows what the delivered patches show.",
            "Owned": "Ground whose patches were delivered. Later plans use them and do not pay twice.",
        },
        "Savings": {
            "Baseline": "The bill for every patch of the same scenes, from the same price list.",
            "Realised saving": "The baseline minus what was paid, known once every patch of an order is "
            "delivered.",
            "Ordered saving": "The baseline minus the cost of orders as they were planned.",
            "Held saving": "What the orders that wait for approval would add to the ordered saving.",
            "Planned saving": "What plans that nobody has ordered would save. Nothing of it is agreed.",
            "List saving": "The saving if the provider billed no minimum areas: patches times price.",
            "Saved by reuse": "What is not paid because the patches are owned or on order already.",
        },
        "Money": {
            "Budget": "A limit on the money that its orders may hold and spend in a period.",
            "Terms": "The rules of a budget beside its limit, such as from which amount an order needs "
            "approval.",
            "Held": "Money that is set aside for orders until their patches are delivered or they end. It "
            "is not spent, and no other order can use it.",
            "Spent": "Money that was paid for delivered patches, minus refunds, plus later charges.",
            "Left": "What a budget can still hold for new orders: its limit, minus held and spent.",
            "Forecast": "The day on which a budget is used up if money is held and spent at the present "
            "pace.",
            "Settled": "Paid for delivered patches.",
            "Released": "Held money that an order returned to its budget without spending it.",
            "Movement": "One entry of the ledger, which moves money of a budget. Entries never change; "
            "each kind is explained below.",
            "Chain of hashes": "Each movement has a hash that covers all before it, so that a change of an "
            "old entry is noticed.",
        },
        "Kinds of movements": {kind.value: f"{meaning.capitalize()}." for kind, meaning in MOVEMENTS.items()},
    }
)
"""Words and their meanings, by subject."""


def anchor(word: str) -> str:
    """Return the name of a word's entry on the page."""
    return word.lower().replace(" ", "-")


ANCHORS = frozenset(anchor(word) for words in GROUPS.values() for word in words)


def address_of(name: str) -> str:
    """Return the address of a word's meaning; KeyError for a word that has none."""
    if anchor(name) not in ANCHORS:
        raise KeyError(name)
    return f"{PAGE}#{anchor(name)}"
