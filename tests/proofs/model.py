"""The model with which the proofs compare the ledger: its rules in a few lines of Python. Pure."""

from dataclasses import dataclass, field
from uuid import UUID

from service.ledger.book import ROUTES, Account, Movement

ACCEPTED = "accepted"


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to move money. A reserve has no hold yet; the other two use one."""

    kind: Movement
    budget: UUID
    minor: int
    reference: str
    hold: UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer: `accepted` with the hold that it made or used, or the code of a refusal."""

    code: str
    hold: UUID | None = None


@dataclass
class Model:
    """Balances of every budget, the rest of every hold, and the references in use."""

    balances: dict[UUID, dict[Account, int]] = field(default_factory=dict)
    left: dict[UUID, int] = field(default_factory=dict)
    used: set[tuple[Movement, str]] = field(default_factory=set)

    def open(self, budget: UUID, limit: int) -> None:
        """Open a budget and grant it `limit`."""
        self.balances[budget] = dict.fromkeys(Account, 0)
        self._move(budget, Movement.FUND, limit)

    def judge(self, call: Call) -> str:
        """Return the code that the answer must have; refusals are checked in the ledger's order."""
        if call.budget not in self.balances:
            return "not-found"
        if call.kind is not Movement.RESERVE and call.hold not in self.left:
            return "not-found"
        if call.hold is not None and self.left[call.hold] < call.minor:
            return "hold-exceeded"
        source, _ = ROUTES[call.kind]
        if self.balances[call.budget][source] < call.minor:
            return "budget-exceeded"
        once = call.kind in {Movement.RESERVE, Movement.SETTLE}
        return "conflict" if once and (call.kind, call.reference) in self.used else ACCEPTED

    def apply(self, call: Call, hold: UUID | None) -> None:
        """Apply an accepted call; `hold` is the one that a reserve got, or that the call used."""
        self._move(call.budget, call.kind, call.minor)
        self.used.add((call.kind, call.reference))
        if hold is not None:
            change = call.minor if call.kind is Movement.RESERVE else -call.minor
            self.left[hold] = self.left.get(hold, 0) + change

    def _move(self, budget: UUID, kind: Movement, minor: int) -> None:
        source, target = ROUTES[kind]
        self.balances[budget][source] -= minor
        self.balances[budget][target] += minor
