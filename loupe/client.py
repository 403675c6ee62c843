"""The client of Loupe with blocking calls."""

from collections.abc import Iterator
from typing import Unpack

from loupe import calls
from loupe.answers.account import Caller
from loupe.answers.base import Json
from loupe.answers.budgets import Budget, Proposal
from loupe.answers.deliveries import FilesReceipt, Receipt
from loupe.answers.jobs import Job, JobSeen, as_documents
from loupe.answers.labels import Classification
from loupe.answers.orders import CancelPreview, Order, OrderSummary
from loupe.answers.plans import Plan, PlanSummary, Replan
from loupe.answers.savings import Savings
from loupe.answers.spending import Charge, SpendReport
from loupe.bodies import File, Sent
from loupe.connection import Connection
from loupe.following import follow
from loupe.options import (
    BudgetChanges,
    BudgetOptions,
    Day,
    DeliveryOptions,
    NextRoundOptions,
    OrderFilters,
    OrderOptions,
    PatchDeliveryOptions,
    PlanFilters,
    PlanOptions,
    ReplanOptions,
    ReportFilters,
    ReportOptions,
    Sum,
    to_wire,
    written,
)
from loupe.paths import path_to


class Client(Connection):
    """A client of one server with one API key, with typed answers. Use it as a context manager.

    A request is repeated after a busy or lost answer, and has one effect all the same: POST requests that
    buy, plan or classify carry a new Idempotency-Key, or the one that you give as `key`. `retries` changes
    how often and how patiently. Methods that plan or classify wait for the job that a large request becomes;
    `seen` is called with the job each time it is read. `sent` is called with the bytes of an upload that were
    sent, and with all. For operations without a method of their own, use `get`, `post`, `items`, `send` and
    `download`.

    Errors of every method: ProblemError for a refusal, NoAnswerError without an answer, AnswerError for an
    answer that cannot be read; all are ClientError.
    """

    def me(self) -> Caller:
        """Return the workspace that the key opens, and its rights there."""
        return Caller.read(self.get("/v1/me"))

    def plan(
        self,
        scene: File,
        *,
        seen: JobSeen | None = None,
        sent: Sent | None = None,
        key: str | None = None,
        **options: Unpack[PlanOptions],
    ) -> Plan:
        """Plan a scene, a low-resolution GeoTIFF: which patches to buy, and what they cost. Spends nothing.

        JobCancelledError if somebody cancels the job meanwhile.
        """
        return Plan.read(self.run(calls.plan(scene, as_documents(seen), sent, key, **options)))

    def plan_later(
        self,
        scene: File,
        *,
        sent: Sent | None = None,
        key: str | None = None,
        **options: Unpack[PlanOptions],
    ) -> Job:
        """Ask for a plan of a scene, and return the job at once. `Job.made("plan")` is the plan's id."""
        return Job.read(self.run(calls.plan_later(scene, sent, key, **options)))

    def replan(
        self,
        plan: str,
        *,
        seen: JobSeen | None = None,
        key: str | None = None,
        **options: Unpack[ReplanOptions],
    ) -> Replan:
        """Re-plan the scene of a plan with other prices or another objective. The new plan replaces it."""
        return Replan.read(self.run(calls.replan(plan, as_documents(seen), key, **options)))

    def next_round(
        self,
        order: str,
        *,
        seen: JobSeen | None = None,
        key: str | None = None,
        **options: Unpack[NextRoundOptions],
    ) -> Plan:
        """Plan what else is worth buying after patches of an order were delivered. Spends nothing."""
        return Plan.read(self.run(calls.next_round(order, as_documents(seen), key, **options)))

    def get_plan(self, plan: str) -> Plan:
        """Return a plan."""
        return Plan.read(self.get(path_to("plans", plan)))

    def plans(self, **filters: Unpack[PlanFilters]) -> Iterator[PlanSummary]:
        """Yield plans, newest first."""
        for document in self.items("/v1/plans", **to_wire(filters)):
            yield PlanSummary.read(document)

    def patches(self, plan: str) -> Iterator[Json]:
        """Yield every patch of a plan with its decision, as GeoJSON features (EPSG:4326)."""
        for page in self.pages(path_to("plans", plan, "patches"), limit=100):
            yield from page["features"]

    def preview(self, plan: str) -> bytes:
        """Return a PNG of the scene with the bought patches outlined."""
        return self.download(path_to("plans", plan, "preview.png"))

    def order(
        self, plan: str, budget: str | None = None, *, key: str | None = None, **options: Unpack[OrderOptions]
    ) -> Order:
        """Order the patches of a plan. HOLDS their cost in a budget.

        Without `budget`, an id, the only budget in the plan's currency pays.
        """
        return Order.read(self.run(calls.order(plan, budget, key, **options)))

    def get_order(self, order: str) -> Order:
        """Return an order with its history and its patches."""
        return Order.read(self.get(path_to("orders", order)))

    def orders(self, **filters: Unpack[OrderFilters]) -> Iterator[OrderSummary]:
        """Yield orders, newest first."""
        for document in self.items("/v1/orders", **to_wire(filters)):
            yield OrderSummary.read(document)

    def preview_cancel(self, order: str) -> CancelPreview:
        """Return what cancelling an order now would settle and release. Cancels nothing."""
        return CancelPreview.read(self.get(path_to("orders", order, "cancel")))

    def cancel(self, order: str) -> Order:
        """Cancel the undelivered patches of an order. SETTLES the bill for what came, RELEASES the rest."""
        return Order.read(self.post(path_to("orders", order, "cancel")))

    def extend(self, order: str, last_day: Day, note: str | None = None) -> Order:
        """Put off the deadline of an order to the end of a later day (UTC)."""
        body = {"last_day": written(last_day)} | ({"note": note} if note else {})
        return Order.read(self.post(path_to("orders", order, "deadline"), body))

    def decide(self, waiting: str, decision: str, note: str | None = None) -> Order | Proposal:
        """Approve or reject an order or a proposal that waits: `decision` is "approve" or "reject".

        The holder of the key that asked for it cannot approve. An approved charge MOVES money.
        """
        document = self.run(calls.decide(waiting, decision, note))
        return Proposal.read(document) if "kind" in document else Order.read(document)

    def deliver(
        self, order: str, file: File, *, sent: Sent | None = None, **options: Unpack[DeliveryOptions]
    ) -> FilesReceipt:
        """Upload a GeoTIFF or a zip archive that shows any patches of an order. SETTLES each patch once."""
        return FilesReceipt.read(self.run(calls.deliver(order, file, sent, **options)))

    def deliver_patch(
        self,
        order: str,
        tile: int,
        patch: int,
        file: File,
        *,
        sent: Sent | None = None,
        **options: Unpack[PatchDeliveryOptions],
    ) -> Receipt:
        """Upload a GeoTIFF for one patch, 0 to 15. SETTLES it; the same bytes again give the same receipt."""
        return Receipt.read(self.run(calls.deliver_patch(order, tile, patch, file, sent, **options)))

    def classify(
        self,
        order: str,
        *,
        allow_partial: bool = False,
        seen: JobSeen | None = None,
        key: str | None = None,
    ) -> Classification:
        """Label every tile of an order, beside the label from low resolution only.

        `allow_partial` uses the patches that were delivered so far; otherwise all must have been.
        """
        steps = calls.classify(order, as_documents(seen), key, allow_partial=allow_partial)
        return Classification.read(self.run(steps))

    def get_classification(self, classification: str) -> Classification:
        """Return the labels of a classification."""
        return Classification.read(self.get(path_to("classifications", classification)))

    def create_budget(
        self, name: str, limit: Sum, *, key: str | None = None, **terms: Unpack[BudgetOptions]
    ) -> Budget:
        """Create a budget. Its limit is the most that its orders may hold and spend."""
        return Budget.read(self.run(calls.create_budget(name, limit, key, **terms)))

    def change_budget(self, budget: str, **changes: Unpack[BudgetChanges]) -> Budget:
        """Change the limit or the terms of a budget. What gives more freedom may wait for another holder."""
        return Budget.read(self.run(calls.change_budget(budget, **changes)))

    def get_budget(self, budget: str) -> Budget:
        """Return a budget."""
        return Budget.read(self.get(path_to("budgets", budget)))

    def budgets(self) -> Iterator[Budget]:
        """Yield all budgets."""
        for document in self.items("/v1/budgets"):
            yield Budget.read(document)

    def jobs(self, *, status: str | None = None) -> Iterator[Job]:
        """Yield jobs, newest first."""
        for document in self.items("/v1/jobs", status=status):
            yield Job.read(document)

    def get_job(self, job: str) -> Job:
        """Return a job as it is now."""
        return Job.read(self.get(path_to("jobs", job)))

    def wait(self, job: str, *, seen: JobSeen | None = None, timeout_s: float | None = None) -> Job:
        """Wait for the end of a job, and return it. WaitTimeoutError after `timeout_s`; the job goes on."""
        return Job.read(self.run(follow(job, as_documents(seen), timeout_s)))

    def cancel_job(self, job: str) -> Job:
        """Cancel a job. One that runs stops soon, and nothing of it is stored."""
        return Job.read(self.post(path_to("jobs", job, "cancel")))

    def savings(self, **options: Unpack[ReportOptions]) -> Savings:
        """Return what was saved per currency, realised savings first, and by group if one is given."""
        return Savings.read(self.get("/v1/reports/savings", **to_wire(options)))

    def spend(self, **options: Unpack[ReportOptions]) -> SpendReport:
        """Return what was paid, refunded and charged later, by month unless a group or step is given."""
        query = to_wire(options)
        grouped = query if query.keys() & {"group_by", "step"} else {**query, "step": "month"}
        return SpendReport.read(self.get("/v1/reports/spend", **grouped))

    def charges(self, **filters: Unpack[ReportFilters]) -> Iterator[Charge]:
        """Yield every charge in the columns of FOCUS, oldest first."""
        for document in self.items("/v1/reports/spend", **to_wire(filters)):
            yield Charge.read(document)
