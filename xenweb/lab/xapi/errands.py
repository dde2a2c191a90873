"""The life of XAPI's tasks: pending, progress that restarts, cancelled only while they say so, forgotten in the end."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from xenweb.lab.xapi.model import EPOCH, NULL, Value
from xenweb.lab.xapi.pool import Pool
from xenweb.lab.xapi.store import moment
from xenweb.lab.xapi.wire import Moment, XapiError

KEPT_FOR = 65 * 60.0
MOST_KEPT = 200


class CancelledError(Exception):
    """The operation gave itself up because it was asked to."""


@dataclass(slots=True)
class Errand:
    """One task under way. Its record may vanish before it ends: what it does goes on."""

    pool: Pool
    ref: str
    session: str
    epoch: int
    asked_to_end: threading.Event = field(default_factory=threading.Event)
    cancellable: bool = True

    @property
    def is_known(self) -> bool:
        """Say whether the pool still has its record."""
        return self.pool.store.has("task", self.ref)

    def progress(self, share: float) -> None:
        """Say how far it is, from 0 to 1."""
        if self.is_known:
            self.pool.store.set("task", self.ref, progress=share)

    def forbid_cancel(self) -> None:
        """Let nobody cancel it from now on; give up first if somebody has asked."""
        self.stop_if_asked()
        self.cancellable = False
        if self.is_known:
            self.pool.store.set("task", self.ref, allowed_operations=[])

    def stop_if_asked(self) -> None:
        """Give up if somebody has asked; raise CancelledError."""
        if self.asked_to_end.is_set() and self.cancellable:
            raise CancelledError

    def wait(self, seconds: float) -> None:
        """Pass time, and give up at once when asked."""
        if not self.cancellable:
            time.sleep(max(0.0, seconds))
        elif self.asked_to_end.wait(max(0.0, seconds)):
            raise CancelledError


class Errands:
    """All tasks of one pool."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._running: dict[str, Errand] = {}
        self._ended: dict[str, float] = {}

    def begin(self, name: str, session: str, work: Callable[[Errand], Value], encode: Callable[[Value], str]) -> str:
        """Start an operation in a thread of its own; answer the task's reference at once."""
        store = self.pool.store
        host = self.pool.coordinator.ref
        ref = store.add(
            "task",
            name_label=name,
            created=moment(),
            finished=Moment(EPOCH),
            status="pending",
            resident_on=host,
            allowed_operations=["cancel"],
            subtask_of=NULL,
            type="<none/>",
        )
        errand = Errand(self.pool, ref, session, self.pool.epoch)
        self._running[ref] = errand
        self._forget_old()
        threading.Thread(target=self._run, args=(errand, work, encode), name=name, daemon=True).start()
        return ref

    def _run(self, errand: Errand, work: Callable[[Errand], Value], encode: Callable[[Value], str]) -> None:
        try:
            value = work(errand)
        except CancelledError:
            self._end(errand, status="cancelled", error_info=["TASK_CANCELLED", errand.ref])
        except XapiError as error:
            self._end(errand, status="failure", error_info=list[Value](error.description))
        except Exception as error:  # noqa: BLE001 - as XAPI does: what nobody foresaw is an internal error
            self._end(errand, status="failure", error_info=["INTERNAL_ERROR", repr(error)])
        else:
            self._end(errand, status="success", result=encode(value))

    def _end(self, errand: Errand, **values: Value) -> None:
        self._running.pop(errand.ref, None)
        if errand.is_known:
            self._ended[errand.ref] = time.monotonic()
            now = moment()
            ended: dict[str, Value] = {"progress": 1.0, "finished": now, "allowed_operations": []}
            self.pool.store.set("task", errand.ref, **ended, **values)

    def cancel(self, ref: str) -> None:
        """Ask a task to end; it may be too late, and then nothing happens."""
        self.pool.store.record("task", ref)
        errand = self._running.get(ref)
        if errand is None:
            return
        if not errand.cancellable:
            raise XapiError("OPERATION_NOT_ALLOWED", "cancel")
        self.pool.store.put("task", ref, "current_operations", "DummyRef:|cancel|task.cancel", "cancel")
        errand.asked_to_end.set()

    def owner(self, ref: str) -> str:
        """Answer the session that began a task."""
        errand = self._running.get(ref)
        return errand.session if errand else ""

    def forget_all(self) -> None:
        """Lose every task, as a toolstack does that starts anew; what they do goes on."""
        for ref in self.pool.store.refs("task"):
            self.pool.store.remove("task", ref)
        self._ended.clear()
        self._running.clear()

    def _forget_old(self) -> None:
        now = time.monotonic()
        by_age = sorted(self._ended, key=self._ended.__getitem__)
        surplus = by_age[: max(0, len(by_age) - MOST_KEPT)]
        for ref in {*surplus, *(each for each in by_age if now - self._ended[each] > KEPT_FOR)}:
            self._ended.pop(ref)
            self.pool.store.remove("task", ref)
