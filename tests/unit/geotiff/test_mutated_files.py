"""Mutated uploads are read or refused, and nothing else: the first of the run `make prove-rasters`."""

from tests.mutants.judging import ACCEPTED, Verdicts, read_here
from tests.mutants.mutating import OF_ARCHIVES, OF_RASTERS, mutant

COUNT = 400


def test_mutated_rasters_and_archives_are_read_or_refused_with_a_typed_error() -> None:
    verdicts = Verdicts()
    for number in range(COUNT):
        verdicts.add(number, read_here)

    assert verdicts.faults == []
    assert verdicts.outcomes.total() == COUNT
    assert verdicts.outcomes[ACCEPTED] > COUNT / 20  # else no mutant reached the decoder
    assert {"damaged-tiff", "georeference-unusable", "archive-unusable"} <= verdicts.outcomes.keys()


def test_mutants_are_the_same_in_every_run_and_of_every_kind() -> None:
    mutants = [mutant(number) for number in range(COUNT)]

    assert mutants == [mutant(number) for number in range(COUNT)]
    assert {name for one in mutants for name in one.changes} == OF_RASTERS.keys() | OF_ARCHIVES.keys()
