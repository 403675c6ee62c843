"""The client of Loupe with awaited calls."""

from collections.abc import AsyncIterator
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
from loupe.async_connection import AsyncConnection
from loupe.bodies import File, Sent
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


class AsyncClient(AsyncConnection):
    """A client of one server with one API key, with typed answers. Use it with `async with`.

    It has the methods of `Client`, which describes them, and its calls can overlap.

    Errors of every method: ProblemError for a refusal, NoAnswerError without an answer, AnswerError for an
    answer that cannot be read; all are ClientError.
    """

    async def me(self) -> Caller:
        """Return the workspace that the key opens, and its rights there."""
        return Caller.read(await self.get("/v1/me"))

    async def plan(
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
        return Plan.read(await self.run(calls.plan(scene, as_documents(seen), sent, key, **options)))

    async def plan_later(
        self,
        scene: File,
        *,
        sent: Sent | None = None,
        key: str | None = None,
        **options: Unpack[PlanOptions],
    ) -> Job:
        """Ask for a plan of a scene, and return the job at once. `Job.made("plan")` is the plan's id."""
        return Job.read(await self.run(calls.plan_later(scene, sent, key, **options)))

    async def replan(
        self,
        plan: str,
        *,
        seen: JobSeen | None = None,
        key: str | None = None,
        **options: Unpack[ReplanOptions],
    ) -> Replan:
        """Re-plan the scene of a plan with other prices or another objective. The new plan replaces it."""
        return Replan.read(await self.run(calls.replan(plan, as_documents(seen), key, **options)))

    async def next_round(
        self,
        order: str,
        *,
        seen: JobSeen | None = None,
        key: str | None = None,
        **options: Unpack[NextRoundOptions],
    ) -> Plan:
        """Plan what else is worth buying after patches of an order were delivered. Spends nothing."""
        return Plan.read(await self.run(calls.next_round(order, as_documents(seen), key, **options)))

    async def get_plan(self, plan: str) -> Plan:
        """Return a plan."""
        return Plan.read(await self.get(path_to("plans", plan)))

    async def plans(self, **filters: Unpack[PlanFilters]) -> AsyncIterator[PlanSummary]:
        """Yield plans, newest first."""
        async for document in self.items("/v1/plans", **to_wire(filters)):
            yield PlanSummary.read(document)

    async def patches(self, plan: str) -> AsyncIterator[Json]:
        """Yield every patch of a plan with its decision, as GeoJSON features (EPSG:4326)."""
        async for page in self.pages(path_to("plans", plan, "patches"), limit=100):
            for feature in page["features"]:
                yield feature

    async def preview(self, plan: str) -> bytes:
        """Return a PNG of the scene with the bought patches outlined."""
        return await self.download(path_to("plans", plan, "preview.png"))

    async def order(
        self, plan: str, budget: str | None = None, *, key: str | None = None, **options: Unpack[OrderOptions]
    ) -> Order:
        """Order the patches of a plan. HOLDS their cost in a budget.

        Without `budget`, an id, the only budget in the plan's currency pays.
        """
        return Order.read(await self.run(calls.order(plan, budget, key, **options)))

    async def get_order(self, order: str) -> Order:
        """Return an order with its history and its patches."""
        return Order.read(await self.get(path_to("orders", order)))

    async def orders(self, **filters: Unpack[OrderFilters]) -> AsyncIterator[OrderSummary]:
        """Yield orders, newest first."""
        async for document in self.items("/v1/orders", **to_wire(filters)):
            yield OrderSummary.read(document)

    async def preview_cancel(self, order: str) -> CancelPreview:
        """Return what cancelling an order now would settle and release. Cancels nothing."""
        return CancelPreview.read(await self.get(path_to("orders", order, "cancel")))

    async def cancel(self, order: str) -> Order:
        """Cancel the undelivered patches of an order. SETTLES the bill for what came, RELEASES the rest."""
        return Order.read(await self.post(path_to("orders", order, "cancel")))

    async def extend(self, order: str, last_day: Day, note: str | None = None) -> Order:
        """Put off the deadline of an order to the end of a later day (UTC)."""
        body = {"last_day": written(last_day)} | ({"note": note} if note else {})
        return Order.read(await self.post(path_to("orders", order, "deadline"), body))

    async def decide(self, waiting: str, decision: str, note: str | None = None) -> Order | Proposal:
        """Approve or reject an order or a proposal that waits: `decision` is "approve" or "reject".

        The holder of the key that asked for it cannot approve. An approved charge MOVES money.
        """
        document = await self.run(calls.decide(waiting, decision, note))
        return Proposal.read(document) if "kind" in document else Order.read(document)

    async def deliver(
        self, order: str, file: File, *, sent: Sent | None = None, **options: Unpack[DeliveryOptions]
    ) -> FilesReceipt:
        """Upload a GeoTIFF or a zip archive that shows any patches of an order. SETTLES each patch once."""
        return FilesReceipt.read(await self.run(calls.deliver(order, file, sent, **options)))

    async def deliver_patch(
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
        return Receipt.read(await self.run(calls.deliver_patch(order, tile, patch, file, sent, **options)))

    async def classify(
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
        return Classification.read(await self.run(steps))

    async def get_classification(self, classification: str) -> Classification:
        """Return the labels of a classification."""
        return Classification.read(await self.get(path_to("classifications", classification)))

    async def create_budget(
        self, name: str, limit: Sum, *, key: str | None = None, **terms: Unpack[BudgetOptions]
    ) -> Budget:
        """Create a budget. Its limit is the most that its orders may hold and spend."""
        return Budget.read(await self.run(calls.create_budget(name, limit, key, **terms)))

    async def change_budget(self, budget: str, **changes: Unpack[BudgetChanges]) -> Budget:
        """Change the limit or the terms of a budget. What gives more freedom may wait for another holder."""
        return Budget.read(await self.run(calls.change_budget(budget, **changes)))

    async def get_budget(self, budget: str) -> Budget:
        """Return a budget."""
        return Budget.read(await self.get(path_to("budgets", budget)))

    async def budgets(self) -> AsyncIterator[Budget]:
        """Yield all budgets."""
        async for document in self.items("/v1/budgets"):
            yield Budget.read(document)

    async def jobs(self, *, status: str | None = None) -> AsyncIterator[Job]:
        """Yield jobs, newest first."""
        async for document in self.items("/v1/jobs", status=status):
            yield Job.read(document)

    async def get_job(self, job: str) -> Job:
        """Return a job as it is now."""
        return Job.read(await self.get(path_to("jobs", job)))

    async def wait(self, job: str, *, seen: JobSeen | None = None, timeout_s: float | None = None) -> Job:
        """Wait for the end of a job, and return it. WaitTimeoutError after `timeout_s`; the job goes on."""
        return Job.read(await self.run(follow(job, as_documents(seen), timeout_s)))

    async def cancel_job(self, job: str) -> Job:
        """Cancel a job. One that runs stops soon, and nothing of it is stored."""
        return Job.read(await self.post(path_to("jobs", job, "cancel")))

    async def savings(self, **options: Unpack[ReportOptions]) -> Savings:
        """Return what was saved per currency, realised savings first, and by group if one is given."""
        return Savings.read(await self.get("/v1/reports/savings", **to_wire(options)))

    async def spend(self, **options: Unpack[ReportOptions]) -> SpendReport:
        """Return what was paid, refunded and charged later, by month unless a group or step is given."""
        query = to_wire(options)
        grouped = query if query.keys() & {"group_by", "step"} else {**query, "step": "month"}
        return SpendReport.read(await self.get("/v1/reports/spend", **grouped))

    async def charges(self, **filters: Unpack[ReportFilters]) -> AsyncIterator[Charge]:
        """Yield every charge in the columns of FOCUS, oldest first."""
        async for document in self.items("/v1/reports/spend", **to_wire(filters)):
            yield Charge.read(document)
