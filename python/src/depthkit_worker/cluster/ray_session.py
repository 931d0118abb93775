"""Ray itself: started for this worker alone, or a cluster that is there."""

from __future__ import annotations

import logging
import os
import secrets
import threading
from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import GLANCE, Job

LOCAL = "auto"
"""The address that stands for a Ray of this machine, which begins and ends with the worker."""
STORE_BYTES = 256 << 20
"""For what is placed once on this machine: token ids, and repairs. What is more goes to disk."""
CLIENT = "ray://"


class RaySession:
    """Starts at once, in a thread of its own that lives on: the system ends a child of a thread with it."""

    def __init__(
        self, address: str, actors: int | None, folder: Path | None, cores: int | None = None
    ) -> None:
        """`actors`: how many to use at most, and to wait for; None: as many as there is room for. `folder`:
        of a Ray that is started, for all of its files. `cores`: what that takes itself to have; None: what
        the machine has."""
        self.actors = actors
        self._address = address
        self._folder = folder
        self._cores = cores
        self._up = threading.Event()
        self._failure: DepthkitError | None = None
        threading.Thread(target=self._run, name="ray", daemon=True).start()

    def wait(self, job: Job) -> None:
        """Until it is there, or why it is not."""
        while not self._up.wait(GLANCE):
            job.report("starting Ray", 0, None)
            job.check()
        if self._failure is not None:
            raise self._failure

    def leave(self) -> None:
        """Give the actors back. Of a Ray that was started the guard ends what there is, which is quicker."""
        if self._address != LOCAL and self._up.is_set() and self._failure is None:
            import ray

            ray.shutdown()

    def _run(self) -> None:
        try:
            self._start()
        except ModuleNotFoundError as error:
            self._failure = DepthkitError(
                "MODULE_MISSING",
                f"The worker's Python has no module {error.name}, which a cluster needs. Run: npx depthkit "
                "setup --with ray; or, with DEPTHKIT_PYTHON, install ray[client] there with pip.",
                module=str(error.name),
            )
        except BaseException as error:
            self._failure = DepthkitError(
                "CLUSTER_UNAVAILABLE",
                f"Starting or joining the Ray cluster {self._address}: {type(error).__name__}: {error}",
                cluster=self._address,
            )
        finally:
            self._up.set()
        threading.Event().wait()

    def _start(self) -> None:
        # Read when it is imported. Nothing is sent to its makers.
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # It warns that a thread of ours is not the main one.
        logging.getLogger("ray").setLevel(logging.ERROR)
        common: dict[str, Any] = {"configure_logging": False, "log_to_driver": False}
        if self._address == LOCAL:
            # Whoever reaches its ports needs this token, which is kept nowhere.
            os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
            import ray

            ray.init(
                address="local",
                num_cpus=self._cores,
                include_dashboard=False,
                object_store_memory=STORE_BYTES,
                _temp_dir=str(self._folder),
                _node_ip_address="127.0.0.1",
                **common,
            )
            return
        import ray

        package = str(Path(__file__).resolve().parents[1])
        environment = {"py_modules": [package], "env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}}
        client = {} if self._address.startswith(CLIENT) else common
        ray.init(address=self._address, runtime_env=environment, **client)
