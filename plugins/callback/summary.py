# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = """
name: summary
type: aggregate
short_description: Tell at the end of a run what became of each host
version_added: 0.1.0
author: The Berth maintainers (@berth)
description:
  - For runs on several hosts. Tells after the recap which hosts failed and why, which could not be reached, and what
    was done on others, those alike together.
  - Writes the plan of all hosts to the file that C(berth_plan_file) names, also where hosts failed.
  - The playbooks of this collection have it by themselves. A playbook of your own that uses role C(projects) has it if
    C(berth.projects.summary) is among the callbacks that are enabled.
  - It needs no task, and so costs an unchanged run nothing, and it also tells of hosts that have left the play.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

_CONTAINER = "berth.projects.container"
_VALIDATE = "berth.projects.validate"
_UTILS = f"{__name__.rpartition('.callback')[0]}.plugin_utils"


class CallbackModule(CallbackBase):
    """Keeps what tasks came to, and puts it together at the end. What only that needs is loaded then."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "berth.projects.summary"
    CALLBACK_NEEDS_ENABLED = True

    _active: CallbackBase | None = None

    def __init__(self) -> None:
        super().__init__()
        if CallbackModule._active is not None:
            self.disabled = True  # enabled by hand, and beside the playbook: one of them does
        CallbackModule._active = CallbackModule._active or self
        self._plays: list[_Play] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._plays.append(_Play(play))
        self._plays[-1].read_ahead()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            self._keep("failed", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep("unreachable", result)

    def _keep(self, kind: str, result: Any) -> None:
        if self._plays:
            self._plays[-1].events.append(_event(kind, result))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        seen, self._plays = self._plays, []
        plays = [play for play in seen if play.is_ours]
        if not plays:
            return
        path = plays[-1].variable("berth_plan_file")
        hosts = list(dict.fromkeys(host for play in plays for host in play.hosts))
        if not path and len(hosts) < 2:
            return
        events = [event for play in seen for event in play.events if play.is_ours or event.kind != "ok"]
        check_mode = plays[-1].check_mode
        of_host = _by_host(events)
        runs = [_run_of(host, of_host.get(host, ()), stats, check_mode) for host in hosts]
        refusals = [event.message for event in events if event.kind == "failed" and event.action == _VALIDATE]
        if len(hosts) > 1 and not refusals:
            self._tell(import_module(f"{_UTILS}.run_summary").summary_lines(runs, check_mode))
        if path:
            self._write(path, runs, {host: plays[-1].scope(host) for host in hosts}, check_mode, refusals)

    def _tell(self, lines: list[str]) -> None:
        self._display.banner("SUMMARY")
        self._display.display("\n".join(lines) + "\n")

    def _write(
        self, path: str, runs: list[Any], scopes: Mapping[str, str | None], check_mode: bool, refusals: list[str]
    ) -> None:
        plans = import_module(f"{_UTILS}.plan_file")
        try:
            plans.write_plan(path, plans.plan_data(runs, scopes, check_mode, next(iter(refusals), None)))
        except _berth_error() as error:
            self._display.error(str(error))


@dataclass(frozen=True)
class _Event:
    """What one task came to on one host. ``kind`` is ok, failed or unreachable."""

    kind: str
    host: str
    action: str
    message: str
    content: Mapping[str, Any]
    is_rehearsal: bool


class _Play:
    """A play, or one batch of it, and what its tasks came to."""

    def __init__(self, play: Any) -> None:
        known = play.get_variable_manager().get_vars(play=play)
        self.hosts: list[str] = list(known.get("ansible_play_hosts_all") or ())
        self.check_mode = bool(context.CLIARGS.get("check"))
        self.events: list[_Event] = []
        self._hostvars = known.get("hostvars")
        self._play = play
        self._is_prelude = "projects_operation" in play.get_vars()  # as the first play of upgrade has it

    @property
    def is_ours(self) -> bool:
        """Whether projects were worked on, or were to be."""
        return self._is_prelude or any(
            event.action == _CONTAINER or (event.action == _VALIDATE and event.kind == "failed")
            for event in self.events
        )

    def variable(self, name: str, host: str | None = None) -> str | None:
        """A variable of a host, by default of the first; None where it cannot be resolved."""
        if not self.hosts or self._hostvars is None:
            return None
        found = import_module(f"{_UTILS}.host_variables")
        with suppress(AnsibleError):
            manager, of_host = self._play.get_variable_manager(), host or self.hosts[0]
            variables = found.variables_of(of_host, self._hostvars, manager, self._play)
            value = Templar(self._play.get_loader(), variables).template(variables.get(name))
            return str(value) if value else None
        return None

    def scope(self, host: str) -> str:
        return self.variable("berth_scope", host) or "default"

    def read_ahead(self) -> None:
        """Read ``berth_projects_dir`` once, here: each host's task runs in a fork of this process, and has it then."""
        if len(self.hosts) < 2:
            return
        path = self.variable("berth_projects_dir")
        if path:
            folders = import_module(f"{_UTILS}.projects_dir")
            with suppress(_berth_error()):  # the first task finds the same, and says so
                folders.projects_folder(path, self._play.get_loader())


def _berth_error() -> type[Exception]:
    error: type[Exception] = import_module(f"{_UTILS.rpartition('.')[0]}.module_utils.errors").BerthError
    return error


def _event(kind: str, result: Any) -> _Event:
    # ansible-core 2.19 names these without the underscore, and warns about the old names.
    host = getattr(result, "host", None) or result._host
    task = getattr(result, "task", None) or result._task
    content: Mapping[str, Any] = result.result if hasattr(result, "result") else result._result
    return _Event(
        kind,
        host.get_name(),
        str(task.resolved_action or task.action),
        str(content.get("msg") or "no reason was given").removeprefix("Task failed: "),
        content,
        bool(task.check_mode) and not context.CLIARGS.get("check"),
    )


def _by_host(events: Iterable[_Event]) -> dict[str, list[_Event]]:
    """The events of each host, without those that are about the whole run."""
    found: dict[str, list[_Event]] = {}
    for event in events:
        if event.action != _VALIDATE:
            found.setdefault(event.host, []).append(event)
    return found


def _would_change(content: Mapping[str, Any]) -> bool:
    return any(project.get("changed") for project in content.get("projects") or ())


def _run_of(host: str, events: Iterable[_Event], stats: Any, check_mode: bool) -> Any:
    """What a host's tasks come to together, as a ``HostRun``."""
    run = import_module(f"{_UTILS}.host_runs").HostRun(host)
    for event in events:
        if event.is_rehearsal and _would_change(event.content):  # whether that is carried out is told by what follows
            continue
        if event.kind == "unreachable":
            run = run.after_loss(event.message)
            continue
        if event.action == _CONTAINER:
            run = run.after_result(event.content)
        elif event.content.get("changed"):
            run = replace(run, is_prepared=True)
        if event.kind == "failed" and not event.content.get("drifted"):
            run = run.after_failure(event.message)
    if run.is_unreachable or stats.failures.get(host):
        return run
    if run.needs and not check_mode:  # the hosts of a batch end together
        return run.after_failure(f"lacks {', '.join(run.needs)}, and the run ended before that was brought in")
    return run.mended()
