"""Loupe's client: plan scenes, order patches, deliver files, classify, and account for every dollar.

    with loupe.Client("http://127.0.0.1:8000", key) as client:
        plan = client.plan("scene.tif", max_cost="12.50")
        order = client.order(plan.id)

`AsyncClient` has the same methods with awaited calls. docs/client.md is a guide.
"""

from loupe.addresses import AddressError, UnusableKeyError
from loupe.answers.account import Caller
from loupe.answers.base import Money
from loupe.answers.budgets import Budget, Proposal
from loupe.answers.deliveries import FilesReceipt, Receipt
from loupe.answers.jobs import Job
from loupe.answers.labels import Classification
from loupe.answers.orders import CancelPreview, Order, OrderSummary
from loupe.answers.plans import Plan, PlanSummary, Replan
from loupe.answers.savings import Savings
from loupe.answers.spending import Charge, SpendReport
from loupe.async_client import AsyncClient
from loupe.client import Client
from loupe.paths import UnusableIdError, path_to
from loupe.problems import (
    AnswerError,
    BusyError,
    ClientError,
    JobCancelledError,
    KeyRefusedError,
    MissingError,
    NoAnswerError,
    NoServerError,
    ProblemError,
    StateConflictError,
    WaitTimeoutError,
)
from loupe.repeating import Retries

__all__ = [
    "AddressError",
    "AnswerError",
    "AsyncClient",
    "Budget",
    "BusyError",
    "Caller",
    "CancelPreview",
    "Charge",
    "Classification",
    "Client",
    "ClientError",
    "FilesReceipt",
    "Job",
    "JobCancelledError",
    "KeyRefusedError",
    "MissingError",
    "Money",
    "NoAnswerError",
    "NoServerError",
    "Order",
    "OrderSummary",
    "Plan",
    "PlanSummary",
    "ProblemError",
    "Proposal",
    "Receipt",
    "Replan",
    "Retries",
    "Savings",
    "SpendReport",
    "StateConflictError",
    "UnusableIdError",
    "UnusableKeyError",
    "WaitTimeoutError",
    "path_to",
]
