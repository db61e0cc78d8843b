"""A cluster of this machine's cores, or the one that the user has: opened, waited for, and closed."""

from __future__ import annotations

import logging
import multiprocessing
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import RuntimeUnavailableError, SettingError
from ...files import scratch_folder
from ...plain_text import plain
from .cluster import Cluster

__all__ = ["connected", "local_workers"]

_LOCAL: dict[str, Any] = {
    # A task waits with the scheduler until a worker is free, so that the death of a worker is held against one task.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.multiprocessing-method": "spawn",
}
_NEEDED = ("dask", "distributed")
_LOGGERS = ("asyncio", "distributed", "tornado")


def local_workers(device: str) -> int:
    """Return how many workers a machine has by default: one for each core that this process may use.

    On a GPU there are two, of which one reads while the other computes: each has a model of its own there.
    """
    from dask.system import CPU_COUNT  # which knows the limits of containers too

    return int(CPU_COUNT) if device.partition(":")[0] == "cpu" else 2


@contextmanager
def connected(
    scheduler: str | None = None, *, workers: int | None = None, device: str = "cpu", patience: float = 60.0
) -> Iterator[Cluster]:
    """Yield a cluster with at least one worker, until the block ends.

    Args:
        scheduler: the address of one that runs, as in ``tcp://10.0.0.1:8786``, or the file that it wrote with
            ``--scheduler-file``; it and its workers are left as they are. None for workers on this machine, which end
            with the block, and with this process, however it ends.
        workers: on this machine, each with one thread; None for as many as fit the device, see :func:`local_workers`.
        device: that the work runs on.
        patience: seconds to wait for an answer or a first worker, and to go on without any worker. A cluster with a
            queue may need long.

    Raises:
        RuntimeUnavailableError: Dask is not installed; the scheduler does not answer or has no workers; or the workers
            of this machine do not start.
        SettingError: the scheduler's address is none.
    """
    if lacking := [name for name in _NEEDED if find_spec(name) is None]:
        raise RuntimeUnavailableError(
            f"Python does not find {' and '.join(lacking)}.", hint="pip install 'instanseg-export[scale]'"
        )
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeUnavailableError(
            "A worker that was just started imported the program that started it, which began the same run again.",
            hint="In the program, put the call under:  if __name__ == '__main__':",
        )
    with _quiet():
        opened = _remote(scheduler, patience) if scheduler else _local(workers or local_workers(device), patience)
        with opened as cluster:
            yield cluster


@contextmanager
def _local(workers: int, patience: float) -> Iterator[Cluster]:
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    from .worker import IgnoreInterrupts

    # Without it, whoever can log in to this machine could have the workers run anything.
    encrypted = Security.temporary() if find_spec("cryptography") is not None else Security()
    with scratch_folder() as folder, dask.config.set(_LOCAL):
        try:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
                security=encrypted,
                # Dask would restart a worker for its own memory; what takes memory is the model, in another process.
                memory_limit=0,
                local_directory=str(folder),
                silence_logs=logging.CRITICAL,
                plugins=(IgnoreInterrupts(),),
            )
        except Exception as error:
            raise RuntimeUnavailableError(
                f"The workers of this machine do not start: {plain(error, 200).rstrip('.')}.",
                hint="Try fewer --workers. In a program, the call must stand under:  if __name__ == '__main__':",
            ) from error
        with cluster, Client(cluster, set_as_default=False) as client:
            yield Cluster(client, _dashboard(client) if find_spec("bokeh") is not None else "", patience)


@contextmanager
def _remote(scheduler: str, patience: float) -> Iterator[Cluster]:
    from distributed import Client

    place: dict[str, Any] = {"address": scheduler}
    if scheduler.endswith(".json"):
        if not Path(scheduler).is_file():
            raise SettingError(
                f"There is no scheduler file {scheduler}.",
                hint="The scheduler writes it: dask scheduler --scheduler-file.",
            )
        place = {"scheduler_file": scheduler}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions than here: what matters of them is looked at
            client = Client(**place, timeout=patience, set_as_default=False)
    except ValueError as error:
        raise SettingError(
            f"{plain(scheduler, 100)} is no address of a scheduler ({plain(error, 100)}).",
            hint="Give the one that `dask scheduler` prints, as in tcp://10.0.0.1:8786.",
        ) from error
    except Exception as error:  # of sockets, TLS, or versions of the protocol
        raise RuntimeUnavailableError(
            f"The scheduler {plain(scheduler, 100)} does not answer within {patience:g} s.",
            hint="Check the address, that `dask scheduler` runs there, and that no firewall is between.",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=patience)
        except Exception as error:
            raise RuntimeUnavailableError(
                f"The scheduler {plain(scheduler, 100)} has no workers after {patience:g} s.",
                hint="Start some with `dask worker`, or see whether they wait in a queue.",
            ) from error
        yield Cluster(client, _dashboard(client), patience)


def _dashboard(client: Any) -> str:
    try:
        served = "dashboard" in client.scheduler_info().get("services", {})
        return str(client.dashboard_link) if served else ""
    except Exception:  # a page to look at is not worth a run
        return ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask's log off the terminal: what matters of it is said in our words."""
    import distributed  # which sets its loggers up

    assert distributed
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _LOGGERS]
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
