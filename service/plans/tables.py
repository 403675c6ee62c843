"""Tables of the scenes that clients sent and of the plans made for them."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.tasks import Task
from service.database.tables import Base
from service.money import Money


class Scene(Base):
    """Row of an uploaded raster as it was read; the blob store holds its bytes under `sha256`."""

    __tablename__ = "scene"
    __table_args__ = (
        Index("ix_scene_workspace_sha256", "workspace_id", "sha256"),
        Index(
            "ix_scene_pixels_deleted",
            *("workspace_id", "pixels_deleted_at"),
            postgresql_where=text("pixels_deleted_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    sha256: Mapped[str]  # hex digest of the bytes as uploaded
    size: Mapped[int] = mapped_column(BigInteger)  # bytes
    # The file as it was read: grid (crs, transform, columns, rows, tile_px), gsd_m, bands, radiometry,
    # planned and left-out km2. Apart from the pixels, a plan depends on nothing else in the file.
    reading: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    pixels_deleted_at: Mapped[datetime | None]  # from then on the blob store holds neither file nor LR pixels
    pixels_deleted_by: Mapped[str | None] = mapped_column(ForeignKey("api_key.id", ondelete="RESTRICT"))


class PlanNaming(Base):
    """Row of the names that a client gives to a plan. They may change, and no figure rests on them."""

    __tablename__ = "plan_naming"
    __table_args__ = (
        CheckConstraint("length(name) BETWEEN 1 AND 200", name="name_length"),
        CheckConstraint("length(external_id) BETWEEN 1 AND 200", name="external_id_length"),
        CheckConstraint("jsonb_typeof(tags) = 'object'", name="tags_object"),
        Index("ix_plan_naming_tags", "tags", postgresql_using="gin"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"), primary_key=True)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    name: Mapped[str | None]
    external_id: Mapped[str | None]
    tags: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))


class Plan(Base):
    """Row of a plan: one decision per patch of a scene, under one bundle, price list and objective.

    Arrays are raw little-endian bytes, tile-major, patch ids column-major inside a tile:
    `utilities` float32 (T, 16), `selected` and `filled` uint8 0/1 (T, 16), `valid_share` float32 (T,).
    Filled patches are the selected ones that came free: they did not raise the bill.
    `ground` uint8 (T, 16) adds flags: 1 owned, 2 on order, 4 enclosed as padding by the ordered shapes.
    `expected` float32 (2, T, 16) holds mean and variance of each patch's number of objects. Of a plan that
    knows what patches hold, `first_expected` has the same before any was read, and `readings` the mean and
    variance that were read, NaN in patches that were not.
    """

    __tablename__ = "plan"
    __table_args__ = (
        Index(
            "ix_plan_workspace_created",
            *("workspace_id", "created_at", "id"),
            postgresql_include=["currency", "billable_saving_minor", "patches_bought"],
        ),
        Index(
            "ix_plan_buys_nothing",
            *("workspace_id", "created_at", "id"),
            postgresql_where=text("patches_bought = 0"),
        ),
        Index(
            "ix_plan_expires",
            *("workspace_id", "expires_at"),
            postgresql_where=text("patches_bought > 0"),
        ),
        Index("ix_plan_scene_id", "scene_id"),
        Index("ix_plan_supersedes", "supersedes", postgresql_where=text("supersedes IS NOT NULL")),
        Index("ix_plan_follows", "follows", postgresql_where=text("follows IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    workspace_id: Mapped[UUID] = mapped_column(ForeignKey("workspace.id", ondelete="RESTRICT"))
    scene_id: Mapped[UUID] = mapped_column(ForeignKey("scene.id", ondelete="RESTRICT"))
    price_list_id: Mapped[UUID] = mapped_column(ForeignKey("price_list.id", ondelete="RESTRICT"))
    supersedes: Mapped[UUID | None] = mapped_column(ForeignKey("plan.id", ondelete="RESTRICT"))
    # The order whose delivered patches it was made after, for a plan of a later round.
    follows: Mapped[UUID | None] = mapped_column(
        ForeignKey("order.id", name="fk_plan_follows_order", ondelete="RESTRICT", use_alter=True)
    )
    objective: Mapped[dict[str, Any]] = mapped_column(JSONB)
    provenance: Mapped[dict[str, Any]] = mapped_column(JSONB)  # bundle, price list, input, code
    tiles: Mapped[int]
    task: Mapped[Task] = mapped_column(String, server_default=text("'label'"))
    utilities: Mapped[bytes] = mapped_column(LargeBinary)  # in units of the task's value
    expected: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: the bundle counts nothing
    first_expected: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: nothing was read
    readings: Mapped[bytes | None] = mapped_column(LargeBinary)
    selected: Mapped[bytes] = mapped_column(LargeBinary)
    filled: Mapped[bytes] = mapped_column(LargeBinary)
    valid_share: Mapped[bytes] = mapped_column(LargeBinary)
    ground: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: made before ground was reused
    reuse: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # what `plans.reuse.describe_reuse` writes
    patches_bought: Mapped[int]
    currency: Mapped[str]
    cost_minor: Mapped[int] = mapped_column(BigInteger)
    baseline_minor: Mapped[int] = mapped_column(BigInteger)  # billable cost of every patch of the scene
    list_saving_minor: Mapped[int] = mapped_column(BigInteger)
    billable_saving_minor: Mapped[int] = mapped_column(BigInteger)
    # Areas, bill lines, the baseline, the terms of the price list, the bound, the reason in a sentence and,
    # for a bundle that counts, the number of objects. Of a later round, what it is worth.
    bill: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]  # by the database's clock; the plan cannot be ordered afterwards
    # Beside the plan, which never changes. Read with it, since plans are shown after their session.
    naming: Mapped[PlanNaming | None] = relationship(lazy="selectin")

    @property
    def cost(self) -> Money:
        """Bill for the bought patches."""
        return Money(self.cost_minor, self.currency)

    @property
    def baseline(self) -> Money:
        """Bill for every patch of the scene."""
        return Money(self.baseline_minor, self.currency)

    @property
    def reuse_saving(self) -> Money:
        """Amount that is not paid because patches are owned or on order already."""
        if self.reuse is None:
            return Money(0, self.currency)
        return Money.parse(self.reuse["saved"]["amount"], self.currency)

    @property
    def list_saving(self) -> Money:
        """Saving against the baseline, minimums and what reuse saves left out."""
        return Money(self.list_saving_minor, self.currency)

    @property
    def billable_saving(self) -> Money:
        """Saving against the baseline, minimums included and what reuse saves left out."""
        return Money(self.billable_saving_minor, self.currency)
