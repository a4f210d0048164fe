"""Joining a Ray cluster, or starting one on this machine, quietly and without waiting for what is not there."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentnas.tools.errors import ConfigError
from agentnas.tools.executors import address_of
from agentnas.tools.room import MIB

PROBE_S = 3.0
ADVICE = "is the cluster up (ray status), and is this the address of its head?"
# Memory for shared objects of a cluster that is started here: the task's data is held once, results are small.
LEAST_STORE_MIB = 80
# What must be set before Ray is imported: no statistics sent, no words of its libraries on stderr.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}


@dataclass(frozen=True)
class Node:
    """A living node: its id, address, and what it has."""

    id: str
    address: str
    cpus: float
    gpus: float


class Cluster:
    """A connection to a cluster; ``close`` gives up what was begun here (the connection, and the cluster if it was started here)."""

    def __init__(self, name: str, ours: bool) -> None:
        import ray

        self.name, self._ours = name, ours
        far = ray.util.client.ray.is_connected()
        self.head: str | None = None if far else str(ray.get_runtime_context().gcs_address)

    def nodes(self) -> list[Node]:
        """Living nodes, by address."""
        import ray

        found = [node for node in ray.nodes() if node["Alive"]]
        had = [(node, node["Resources"]) for node in found]
        return sorted(
            (Node(n["NodeID"], n["NodeManagerAddress"], r.get("CPU", 0.0), r.get("GPU", 0.0)) for n, r in had),
            key=lambda node: (node.address, node.id),
        )

    def here(self) -> str:
        """The id of the node that this process belongs to; over ``ray://`` that of the head."""
        import ray

        return str(ray.get_runtime_context().get_node_id())

    def alive(self) -> bool:
        """Whether the head still answers. Ray itself would wait for it for a minute, and then end this process without a word to us."""
        return self.head is None or _answers(self.head)

    def close(self) -> None:
        """Leave; where the head is gone, there is nothing to take leave of, and Ray would wait for it."""
        import ray

        if self._ours and self.alive():
            with _own_signals():
                ray.shutdown()
        self._ours = False


def check(executor: str) -> None:
    """Raise ConfigError, within seconds, where Ray is not installed or no cluster answers at the address."""
    _require_ray()
    address = address_of(executor)
    if address == "auto":
        address = _known_address()
    if address is None:
        return
    _probe(executor, address)
    if address.startswith("ray://"):
        _bring_token()  # where none is wanted, none is looked at
    else:
        _ask_head(executor, address)


def connect(executor: str, workers: int | None = None, data_mib: float = 0.0) -> Cluster:
    """Join the cluster of ``ray:ADDRESS``, or start one here for ``ray``. A connection that the caller's program already has is used.

    ``workers``: CPUs of a cluster that is started here (None: one a core); ``data_mib``: what its object store must hold.
    Raises ConfigError, one line: no Ray, nobody there, another version of Ray or Python, a wrong token.
    """
    check(executor)
    import ray

    address = address_of(executor)
    if ray.is_initialized():
        return _joined(executor, address)
    with _own_signals(), _silent():
        try:
            ray.init(**_common(), **({"address": address} if address else _starting(workers, data_mib)))
        # Ray raises all kinds of errors here, its own and those of grpc; whichever it is, a person must act on it.
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError, OSError, AssertionError) as error:
            ray.shutdown()
            raise ConfigError(f"--executor {executor}: {_explained(error)}") from None
    _hush()
    return Cluster(address or "this machine", ours=True)


def _joined(executor: str, address: str | None) -> Cluster:
    """The connection that the caller's program has; raises ConfigError where that leads elsewhere."""
    cluster = Cluster(address or "this machine", ours=False)
    asked, found = (place.rpartition(":")[2] for place in (address or "", cluster.head or ""))
    if found and asked not in ("", "auto", found):
        raise ConfigError(f"--executor {executor}: this program is connected to the cluster at {cluster.head}; use ray:auto, or leave that")
    return cluster


def _require_ray() -> None:
    if importlib.util.find_spec("ray") is None:
        raise ConfigError("--executor ray needs Ray, which is not installed; pip install 'agentnas[ray]', or use --executor local")
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    logging.getLogger("ray").setLevel(logging.ERROR)


def _known_address() -> str:
    """Where ``auto`` leads; raises ConfigError where no cluster is known here."""
    from ray._private.utils import read_ray_address

    found = os.environ.get("RAY_ADDRESS") or read_ray_address()
    if not found:
        raise ConfigError("--executor ray:auto: no Ray cluster runs on this machine; start one (ray start --head), or use --executor ray")
    return str(found)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), PROBE_S):
            return True
    except OSError:
        return False


def _probe(executor: str, address: str) -> None:
    """Ask whether somebody listens: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), PROBE_S) as spoken:
            # What both kinds of server are: HTTP/2. It answers its preface with a frame of settings (type 4).
            spoken.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
            strange = spoken.recv(9)[3:4] != b"\x04"
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"--executor {executor}: nobody answers at {address} ({why}); {ADVICE}") from None
    if strange:
        raise ConfigError(f"--executor {executor}: what answers at {address} is not Ray; {ADVICE}")


def _bring_token() -> bool:
    """Show the token that lies on this machine, unless the person said otherwise; false where there is none.

    Ray starts clusters that want it where there is one, and joins them with it only if told so; who wants none turns away who shows it.
    """
    setup = importlib.import_module("ray._private.authentication.authentication_token_setup")
    return bool(setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False))


def _ask_head(executor: str, address: str) -> None:
    """Whether the head lets us in, if need be by the token."""
    from ray.exceptions import RayError

    for shown in (False, True):
        try:
            with _silent():
                importlib.import_module("ray._raylet").GcsClient(address=address)
            return
        except (RayError, RuntimeError, OSError) as error:
            if shown or "authenticat" not in str(error).lower() or not _bring_token():
                raise ConfigError(f"--executor {executor}: {_explained(error)}") from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Ray's libraries write warnings past Python to descriptor 2; what went wrong is raised as well."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _common() -> dict[str, Any]:
    return {"log_to_driver": False, "logging_level": logging.ERROR, "namespace": f"agentnas-{os.getpid()}"}


def _starting(workers: int | None, data_mib: float) -> dict[str, Any]:
    store = max(LEAST_STORE_MIB, int(2 * data_mib) + 1) * MIB
    return {"address": "local", "num_cpus": workers, "include_dashboard": False, "object_store_memory": store}


def _explained(error: BaseException) -> str:
    """One line for a person."""
    text = " ".join(f"{error.__cause__ or ''} {error}".split())
    if "ersion mismatch" in text:
        return f"{text[:300]}; install the same versions of Ray and Python on all machines"
    if "uthentication" in text or "token" in text.lower():
        return "the cluster wants another token; copy ~/.ray/auth_token of its head to this machine"
    if ("on this" in text and "node" in text) or "raylet" in text.lower():
        return f"{text[:200]}; this machine must be a node of the cluster (ray start --address=HOST:PORT), or use ray://HOST:10001"
    return f"{text[:300] or type(error).__name__}; ray status tells whether the cluster is up"


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself when it connects; what signals mean is for our caller to say."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _hush() -> None:
    """Lost workers are told by us, in the run's journal; Ray would print a paragraph for each on stdout, which is for data."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_, **__: None
