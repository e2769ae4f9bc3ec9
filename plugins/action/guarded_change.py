"""Action plugin: the controller's half of a guarded change.

Preflight (the playbook) → stage, validate, snapshot, arm, apply (the module of this name, on the node) → a
new connection logs in, gains root and disarms → otherwise the node goes back: at once if the old connection
still works, by its own timer if it does not.
"""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import action_loader

MARGIN = 5  # seconds between the last chance of the proof and the revert
LIMITS = {"revert_after": 120, "proof_timeout": 20, "keep_generations": 20}


def proof_seconds(wanted: int, revert_after: int) -> int:
    """How long the proof may take: never so long that the revert happens under its hands."""
    return max(1, min(wanted, revert_after - MARGIN))


class ActionModule(ActionBase):
    """Takes the module's arguments and `proof_timeout` (seconds)."""

    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Change, prove, or bring the node back and say why."""
        super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        revert_after = int(arguments.get("revert_after", 120))
        timeout = proof_seconds(int(arguments.pop("proof_timeout", 20)), revert_after)
        result = self._execute_module(
            module_name="guarded_change", module_args=arguments, task_vars=task_vars
        )
        if result.get("failed") or result.get("generation") is None:
            return result
        return self._proven(result, arguments["concern"], revert_after, timeout, task_vars or {})

    @staticmethod
    def beside(action: ActionBase, name: str = "guarded_change") -> Any:
        """The plugin of that name for the node, the task and the variables of this one."""
        return action_loader.get(
            name,
            task=action._task,
            connection=action._connection,
            play_context=action._play_context,
            loader=action._loader,
            templar=action._templar,
            shared_loader_obj=action._shared_loader_obj,
        )

    def around(self, module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Run another module that changes who gets in: look, arm, change, prove, or bring the node back."""
        looked = self._look(module, arguments, task_vars)
        if self._task.check_mode or looked.get("failed") or not looked.get("changed"):
            return looked
        limits = {
            name: int(self._templar.template(task_vars.get(f"access_guard_{name}", otherwise)))
            for name, otherwise in LIMITS.items()
        }
        revert_after = limits["revert_after"]
        arm = {"phase": "arm", "concern": module, "revert_after": revert_after}
        armed = self._execute_module(
            module_name="guarded_change",
            module_args={**arm, "keep": limits["keep_generations"]},
            task_vars=task_vars,
        )
        if armed.get("failed"):
            return armed
        generation = armed["generation"]
        result: dict[str, Any] = self._execute_module(
            module_name=module, module_args=arguments, task_vars=task_vars
        )
        if result.get("failed"):
            why = str(result.get("msg")).removeprefix(f"{module}: ")
            return {**result, **self._bring_back(module, generation, revert_after, why, task_vars)}
        result["generation"] = generation
        timeout = proof_seconds(limits["proof_timeout"], revert_after)
        return self._proven(result, module, revert_after, timeout, task_vars)

    def _look(self, module: str, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the module would change."""
        asked = self._task.check_mode
        self._task.check_mode = True
        try:
            looked: dict[str, Any] = self._execute_module(
                module_name=module, module_args=arguments, task_vars=task_vars
            )
        finally:
            self._task.check_mode = asked
        return looked

    def _proven(
        self, result: dict[str, Any], concern: str, revert_after: int, timeout: int, task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        """The result as it is when a new login proves the change, otherwise the story of the way back."""
        proof = self._prove(result["generation"], timeout, task_vars)
        if not proof.get("failed"):
            return result
        why = str(proof.get("msg"))
        return self._bring_back(concern, result["generation"], revert_after, why, task_vars)

    def _prove(self, generation: int, timeout: int, task_vars: dict[str, Any]) -> dict[str, Any]:
        action = self.beside(self, "prove_access")
        try:
            proof: dict[str, Any] = action.prove(task_vars, generation, [], timeout)
        except Exception as error:  # whatever keeps us from proving it, the node must go back
            return {"failed": True, "msg": str(error)}
        return proof

    def _bring_back(
        self, concern: str, generation: int, revert_after: int, why: str, task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        arguments = {"phase": "revert", "concern": concern, "generation": generation}
        try:
            done = self._execute_module(
                module_name="guarded_change", module_args=arguments, task_vars=task_vars
            )
        except (
            Exception
        ) as error:  # sudo or the connection is what the change broke; the node's timer is left
            done = {"failed": True, "msg": str(error)}
        if done.get("failed") or "reverted" not in done:
            outcome = f"the node goes back to generation {generation} by itself within {revert_after} s"
        elif done["reverted"] is None:
            outcome = "no change waits for a proof any more; its history.jsonl tells the outcome"
        else:
            outcome = f"the node is back at generation {generation}"
        return {"failed": True, "changed": False, "msg": f"{concern}: {why}; {outcome}"}
