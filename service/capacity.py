"""Settings of how much the server takes on at a time, and how long it waits."""

from pydantic import Field
from pydantic_settings import BaseSettings

MIB = 1024 * 1024


class Capacity(BaseSettings):
    """Limits that keep one client from shutting out the others; `.env.example` explains each."""

    body_memory: int = Field(
        256 * MIB,
        ge=2 * MIB,
        description="Memory for the uploads of all requests, in bytes; one workspace has half of it, and "
        "one key a quarter; further uploads wait.",
    )
    connections: int = Field(
        2000,
        ge=16,
        description="Connections at the same time; beyond it, the one that has been silent longest is "
        "closed. The limit of open files can make it less.",
    )
    header_seconds: float = Field(
        15.0, gt=0, allow_inf_nan=False, description="Longest wait for the header of a request, in seconds."
    )
    body_seconds: float = Field(
        30.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait for the body of a request, in seconds, and one more for each 16 KiB of it.",
    )
    send_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest wait for a client that takes nothing of its answer, in seconds.",
    )
    drain_seconds: float = Field(
        20.0,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that requests have to end after the signal to stop; 5 s later the process ends.",
    )
    requests_per_key: int = Field(6_000, gt=0, description="Requests that one key may send in a minute.")
    requests_per_workspace: int = Field(
        12_000, gt=0, description="Requests that the keys of one workspace may send in a minute."
    )
    requests_per_stranger: int = Field(
        1_200, gt=0, description="Requests without a valid key that one address may send in a minute."
    )
    at_once_per_key: int = Field(64, gt=0, description="Requests of one key at the same time.")
    at_once_per_workspace: int = Field(128, gt=0, description="Requests of one workspace at the same time.")
    request_seconds: float = Field(
        600.0,
        gt=0,
        allow_inf_nan=False,
        description="Longest computation of one request, in seconds; it is stopped after that.",
    )
    scene_tiles: int = Field(
        100_000, ge=1, description="Most tiles of a scene that is planned, within a request or as a job."
    )
    workspace_gib: float = Field(
        50.0, gt=0, allow_inf_nan=False, description="Files and plans that one workspace may store, in GiB."
    )
    workspace_plans: int = Field(100_000, gt=0, description="Plans that one workspace may store.")
    computing_at_once: int = Field(
        8, ge=1, le=32, description="Requests that decode, predict, plan or draw at the same time."
    )
    computing_each: int = Field(
        2, ge=1, le=32, description="Requests of one workspace that do so at the same time."
    )
    waiting: int = Field(256, ge=0, description="Requests that wait for their turn to compute, in all.")
    waiting_each: int = Field(64, ge=0, description="Requests of one workspace that wait for their turn.")
