"""Stages that do not need each other, trained at the same time in processes of their own.

On a CPU, two processes of one thread train twice as much as one process of two threads, because the kernels
of small networks are too short to share.
"""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait

import torch

from training.run.output import end_when_unread

Task = Callable[[], object]
"""A stage to train, which leaves its checkpoint in the run's folder. It must be picklable."""


def train_apart(tasks: Sequence[Task], at_once: int) -> None:
    """Run tasks in processes, `at_once` at a time in their order; raises the first error of a task.

    The processes share this one's threads evenly. They end at the first error, and with this one, however it
    ends.
    """
    workers = min(at_once, len(tasks))
    threads = max(1, torch.get_num_threads() // workers)
    others = active_children()
    # Spawned: a fork copies the threads' locks of torch in whatever state they are.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin, (threads,)) as pool:
        waiting = [pool.submit(_run, task) for task in tasks]
        try:
            for one in as_completed(waiting):
                one.result()
        except BaseException:
            # The pool itself would wait until every stage that has begun is trained.
            for worker in set(active_children()).difference(others):
                worker.terminate()
            raise


def _begin(threads: int) -> None:
    end_when_unread()
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of the parent, then end this process: nobody else may write to its folder by then."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(task: Task) -> None:
    """Run a task without its result, which would have to be pickled."""
    task()
