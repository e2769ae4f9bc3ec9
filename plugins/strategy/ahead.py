"""Strategy: decides and speaks as `linear` does, but a worker goes on with its node's next tasks.

For each task of each node Ansible forks a process, fills its caches and joins the connection anew, which
costs more than most tasks do. Here the process that has done a task goes on with the following ones, and the
results are kept until the play, which stays in lock step, comes to them. Order, output, handlers, `register`
and the end by a failure are those of `linear`. What decides about access never runs ahead
(docs/decisions/0007-speed.md).
"""

from __future__ import annotations

import importlib.util
import os
import sys
import threading
from collections import deque
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from ansible import constants
from ansible._internal import _task
from ansible.errors import AnsibleError
from ansible.executor.play_iterator import IteratingStates
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult
from ansible.playbook.handler import Handler
from ansible.playbook.task_include import TaskInclude
from ansible.plugins import strategy as strategies
from ansible.plugins.loader import action_loader
from ansible.plugins.strategy.linear import StrategyModule as Linear
from ansible.utils.multiprocessing import context as processing
from ansible.vars.clean import module_response_deepcopy, strip_internal_keys

try:
    from ansible_mitogen import affinity
    from ansible_mitogen.strategy import StrategyMixin
except ImportError:  # works over plain ssh as well, only slower
    affinity = None

    class StrategyMixin:  # type: ignore[no-redef]
        """Nothing is added."""


DOCUMENTATION = """
name: ahead
short_description: Executes in lock step; a worker goes on with its node's next tasks
description:
  - Decides and speaks as C(linear) does, over mitogen's connections where mitogen is installed.
  - The process that has done a task goes on with the next ones on the same node; before one that decides
    about access it waits for that task's turn.
  - Loops, retries, delegated tasks, tasks of a block with C(rescue) or C(always), includes and handlers
    wait for their turn, and a process of their own does them.
author: Stockade
"""

# Between two tasks nobody's access is in the balance, so that a controller may die between any two.
ACCESS = frozenset(("guarded_change", "accounts", "sysctl_set", "preflight", "prove_access"))
ALONE = frozenset(
    (
        *constants._ACTION_META,
        *constants._ACTION_INVENTORY_TASKS,
        *constants._ACTION_ALL_INCLUDES,
        *constants._ACTION_ALL_PROPER_INCLUDE_IMPORT_ROLES,
        *constants._ACTION_FACT_GATHERING,
        *constants._ACTION_WITH_CLEAN_FACTS,
        "reboot",
        "ansible.builtin.reboot",
    )
)
NEVER = sys.maxsize
PLUGINS = Path(__file__).resolve().parents[1]


def beside(name: str) -> Any:
    """A module of `plugins/controller`, which no plugin path of Ansible's leads to."""
    whole = f"stockade_{name}"
    if whole not in sys.modules:
        place = PLUGINS / "controller" / f"{name}.py"
        loader = SourceFileLoader(whole, str(place))
        spec = importlib.util.spec_from_file_location(whole, place, loader=loader)
        sys.modules[whole] = module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
        loader.exec_module(module)
    return sys.modules[whole]


def keep_what_is_worked_out() -> None:
    """Once per process, before the first worker is forked: `plugins/controller/kept.py`."""
    if "stockade_kept" not in sys.modules:
        beside("kept").keep(PLUGINS.parent / "build" / "ansible" / "kept", [PLUGINS / "filter"])


turns = beside("turns")


def in_plain_blocks(task: Any) -> bool:
    """Whether no block around the task looks at its failure."""
    parent = task._parent
    while parent is not None:
        if getattr(parent, "rescue", None) or getattr(parent, "always", None):
            return False
        parent = parent._parent
    return True


def leads(task: Any) -> bool:
    """Whether a worker may go on after this task."""
    return not (
        isinstance(task, (Handler, TaskInclude))
        or task.action in ALONE
        or "{" in str(task.action)
        or task.loop is not None
        or task.loop_with
        or task.retries
        or task.until
        or task.run_once
        or task.delegate_to
        or task.throttle
        or task.async_val
        or task.debugger
        or not in_plain_blocks(task)
        or getattr(action_loader.get(task.action, class_only=True), "BYPASS_HOST_LOOP", False)
    )


class Kept(deque):  # type: ignore[type-arg]
    """Results; those of tasks whose turn has not come are kept aside."""

    def __init__(self) -> None:
        super().__init__()
        self.early: dict[tuple[str, str], Any] = {}
        self.came = threading.Event()

    def promise(self, keys: list[tuple[str, str]]) -> None:
        """Results that will come before their turn."""
        self.early.update(dict.fromkeys(keys))

    def claim(self, key: tuple[str, str]) -> bool:
        """The turn of a task has come; whether a worker does it or has done it already."""
        if key not in self.early:
            return False
        if (result := self.early.pop(key)) is not None:
            super().append(result)
        return True

    def append(self, result: Any) -> None:
        """Take a result, now or for later. Called with the lock of the results held."""
        key = (result.host.name, result.task._uuid)
        if key in self.early:
            self.early[key] = result
        else:
            super().append(result)
        self.came.set()


class AheadWorker(WorkerProcess):
    """Does a task, then the ones behind it, on one node."""

    _task: Any

    def __init__(self, strategy: Any, behind: list[tuple[int, Any]], place: int, **given: Any) -> None:
        super().__init__(**given)
        self._strategy, self._behind, self._place = strategy, behind, place
        self._parent_pid = os.getpid()
        self.turn = turns.Turn()

    def _run(self) -> None:
        self._variable_manager = self._strategy.with_plain_variables()
        for place, task in [(self._place, self._task), *self._behind]:
            if place != self._place:
                if task.action in ACCESS and not self.turn.wait(self._alone):
                    return
                # Nobody waits any more: the play's process is gone, or a node has failed at an earlier task.
                if self._alone() or place > self._strategy.last_place.value:
                    return
                self._task, self._task_vars = task, self._strategy.variables(self._host, task)
            with _task.TaskContext(task):
                result = self._execute()
            if (result.is_failed() and not task.ignore_errors) or (
                result.is_unreachable() and not task.ignore_unreachable
            ):
                if task.any_errors_fatal:
                    self._strategy.end_at(place)
                return
            self._strategy.remember(self._host, task, result)

    def _alone(self) -> bool:
        """Whether the play's process is gone."""
        return os.getppid() != self._parent_pid

    def _execute(self) -> Any:
        """One task, as the class above does it; the result has been sent."""
        given = (self._host, self._task, self._task_vars, self._play_context, self._loader)
        said = TaskExecutor(*given, self._shared_loader_obj, self._final_q, self._variable_manager).run()
        result = _RawTaskResult(
            host=self._host, task=self._task, return_data=said, task_fields=self._task.dump_attrs()
        )
        self._final_q.send_task_result(result)
        return result


class StrategyModule(StrategyMixin, Linear):
    """`linear`, whose queue hands a worker more than one task."""

    def __init__(self, tqm: Any) -> None:
        keep_what_is_worked_out()
        beside("one_hop").connect_in_one()
        if affinity is not None:
            # On two cores mitogen would put the play, every worker and every ssh on one of them.
            affinity.policy = affinity.Policy()
        super().__init__(tqm)
        self._results = Kept()
        self._plain_variables: Any = tqm.get_variable_manager()
        self._variable_manager: Any = turns.Variables(self._plain_variables, self._results.early)
        self._on_the_way: dict[str, AheadWorker] = {}
        self._iterator: Any = None
        self.last_place = processing.Value("q", NEVER)

    def run(self, iterator: Any, play_context: Any) -> Any:
        """Play; at its end no worker is left on the way, as with `linear`."""
        self._iterator = iterator
        self.last_place.value = NEVER
        outcome = super().run(iterator, play_context)
        self.end_at(-1)
        for worker in self._on_the_way.values():
            worker.turn.over()
        for worker in self._workers:
            if worker is not None:
                worker.join()
        return outcome

    def _queue_task(self, host: Any, task: Any, task_vars: dict[str, Any], play_context: Any) -> None:
        key = (host.name, task._uuid)
        with self._results_lock:
            claimed = self._results.claim(key)
        if claimed:
            if task.action in ACCESS:
                self._on_the_way[host.name].turn.come()
            self._tqm.send_callback("v2_runner_on_start", host, task)
            self._pending_results += 1
            return
        # A worker that still waits was left behind by a failure; handlers need its place among the forks.
        if (left := self._on_the_way.pop(host.name, None)) is not None:
            left.turn.over()
        # Whoever is asked before each task (--step, the debugger) decides before it is done.
        asked = self._step or self.debugger_active
        behind = self._behind(host, task) if leads(task) and not asked else []
        for _, later in behind:
            self._queued_task_cache[(host.name, later._uuid)] = {
                "host": host,
                "task": later,
                "task_vars": {},
                "play_context": play_context,
            }
        with self._results_lock:
            self._results.promise([(host.name, later._uuid) for _, later in behind])
        self._start(host, task, task_vars, play_context, behind)

    def _start(
        self,
        host: Any,
        task: Any,
        task_vars: dict[str, Any],
        play_context: Any,
        behind: list[tuple[int, Any]],
    ) -> None:
        """Queue as `linear` does, with our worker in the place of Ansible's."""

        def ahead(**given: Any) -> WorkerProcess:
            worker = AheadWorker(self, behind, self._iterator.cur_task - 1, **given)
            self._on_the_way[host.name] = worker
            return worker

        plain = strategies.WorkerProcess
        strategies.WorkerProcess = ahead if behind else plain
        try:
            super()._queue_task(host, task, task_vars, play_context)
        finally:
            strategies.WorkerProcess = plain

    def _behind(self, host: Any, task: Any) -> list[tuple[int, Any]]:
        """The tasks that come next on this node, with their places in the play, up to one that waits."""
        state, roles = self._iterator.get_host_state(host), [task._role]
        places = {t._uuid: place for place, t in enumerate(self._iterator.all_tasks)}
        found: list[tuple[int, Any]] = []
        while state.run_state == IteratingStates.TASKS:
            state, later = self._iterator._get_next_task_from_state(state, host=host)
            if later is not None and later._get_meta() == "role_complete":
                continue
            place = places.get(later._uuid, -1) if later is not None else -1
            if place <= (found[-1][0] if found else -1) or not leads(later):
                break
            # With more nodes than forks a worker that waits would keep another node from coming so far.
            if later.action in ACCESS and len(self._hosts_cache) > len(self._workers):
                break
            # A role that stands in the play twice is passed over the second time, once it has run.
            if later._role is not roles[-1] and later._role in roles:
                break
            roles.append(later._role)
            found.append((place, later))
        return found

    def _wait_on_pending_results(self, iterator: Any) -> list[Any]:
        """As the class above does it, which looks at every worker a thousand times a second."""
        found: list[Any] = []
        while self._pending_results > 0 and not self._tqm._terminated:
            if self._tqm.has_dead_workers():
                raise AnsibleError("a worker has died; what it was doing is not known; run the play again")
            self._results.came.clear()
            found.extend(self._process_pending_results(iterator))
            if self._pending_results > 0:
                self._results.came.wait(turns.WAKE)
        return found

    # -- in a worker --
    def with_plain_variables(self) -> Any:
        """Ansible's own variable manager, which leaves nothing out."""
        self._variable_manager = self._plain_variables
        return self._plain_variables

    def variables(self, host: Any, task: Any) -> dict[str, Any]:
        """What `linear` computes before it queues a task."""
        play = self._iterator._play
        found: dict[str, Any] = self._variable_manager.get_vars(
            play=play, host=host, task=task, _hosts=self._hosts_cache, _hosts_all=self._hosts_cache_all
        )
        self.add_tqm_variables(found, play=play)
        return found

    def remember(self, host: Any, task: Any, result: Any) -> None:
        """What later tasks of this worker see of a result; the play's process does the same with its copy."""
        facts = result._return_data.get("ansible_facts")
        if facts and not result.is_skipped():
            self._variable_manager.set_host_facts(host.name, dict(facts))
        if task.register:
            kept = strip_internal_keys(module_response_deepcopy(result._return_data))
            kept.pop("invocation", None)
            self._variable_manager.set_nonpersistent_facts(host.name, {task.register: kept})

    def end_at(self, place: int) -> None:
        """No worker begins a task behind this place any more."""
        with self.last_place.get_lock():
            self.last_place.value = min(self.last_place.value, place)
