"""The judgement of an upload's patches together with those that their order has already. Opens no session."""

from collections.abc import Mapping
from typing import Any

from service.deliveries.decoding import CutPatch, Target
from service.imagery.siblings import Sibling, find_shared_displacement, sensors_differ
from service.orders.checklist import Place

Figures = Mapping[str, Any]


def judge_together(
    cuts: Mapping[Place, CutPatch], earlier: Mapping[Place, Figures], target: Target
) -> dict[Place, dict[str, Any]]:
    """Return the checks of each patch of an upload, with warnings.

    `earlier` holds the likeness figures of the order's other patches. A shift that the patches of the upload
    share draws one warning, with the first of them.
    """
    uploaded = [Sibling.of(place, cut.likeness.figures()) for place, cut in sorted(cuts.items())]
    others = [Sibling.of(place, figures) for place, figures in earlier.items() if place not in cuts]
    differ = target.other_sensor or sensors_differ([one.misfit for one in (*uploaded, *others)])
    shift = find_shared_displacement(uploaded, target.grid, target.scene, differ=differ)
    checks: dict[Place, dict[str, Any]] = {}
    for place, cut in sorted(cuts.items()):
        doubts = list(cut.judge(sensors_differ=differ))
        if shift is not None:
            doubts = [one for one in doubts if not shift.includes(one)]
            doubts += [] if checks else [shift.doubt()]
        warnings = [one.to_json() for one in doubts]
        checks[place] = cut.checks | {"sensors_differ": differ, "warnings": warnings}
    return checks
