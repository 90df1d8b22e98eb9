# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The health check and the launcher, in a tiny image."""

from __future__ import annotations

from typing import Callable

import pytest
from image_box import READY, Box, Put

CHECK = "/usr/local/lib/berth/healthcheck"
CLI = "/opt/berth/agents/bin/claude"
COUNTING = '#!/bin/sh\necho "$*" >>/tmp/runs\n'


def refused(one: Box) -> list[str]:
    """What a start that must fail printed."""
    lines = one.start()
    assert one.state()["ExitCode"] == 1
    assert READY not in lines
    return lines


def test_a_container_in_order_is_healthy_for_root_and_for_the_agent(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_WORKSPACES": "/workspace/a:/workspace/b c"}, volumes=["/workspace/a", "/workspace/b c"])
    assert one.start() == [READY]
    assert one.run(CHECK) == (0, "")
    assert one.run(CHECK, user="agent") == (0, "")


def test_a_workspace_that_is_only_a_folder_stops_the_start(box: Callable[..., Box]) -> None:
    workspaces = {"BERTH_WORKSPACES": "/workspace/a:/workspace/b:/workspace/c"}
    one = box(env=workspaces, volumes=["/workspace/a"], put=[Put("/workspace/b/")])
    assert refused(one) == [
        "berth: error: workspace /workspace/b is not mounted",
        "berth: error: workspace /workspace/c is not mounted",
    ]


def test_a_home_that_the_agent_cannot_write_to_stops_the_start(box: Callable[..., Box]) -> None:
    assert refused(box(put=[Put("/home/agent/", uid=1000, gid=1000, mode=0o555)])) == [
        "berth: error: agent cannot write to its home /home/agent"
    ]


def test_a_proxy_that_answers_is_fine_whether_it_hangs_up_or_not(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_PROXY": "127.0.0.1:3128"})
    assert one.start()[-1] == READY
    for patience in ("0", "60"):
        one.run("sh", "-c", f"nc -l -p 3128 -e sleep {patience} </dev/null >/dev/null 2>&1 &")
        one.run("sh", "-c", "until grep -q ':0C38 .* 0A ' /proc/net/tcp*; do :; done")
        assert one.run(CHECK) == (0, "")


def test_a_proxy_that_does_not_answer_is_a_problem_but_does_not_stop_the_start(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_PROXY": "127.0.0.1:3128"})
    assert one.start() == ["berth: warning: the egress proxy does not answer", READY]
    assert one.run(CHECK) == (1, "the egress proxy does not answer\n")


def test_an_agent_without_its_program_stops_the_start(box: Callable[..., Box]) -> None:
    assert refused(box(put=[Put("/usr/local/lib/berth/agents", "claude\ncodex\n")])) == [
        "berth: error: agent codex is not installed: /opt/berth/agents/bin/codex is missing or not executable"
    ]


def test_an_agent_whose_program_does_not_run_stops_the_start(box: Callable[..., Box]) -> None:
    assert refused(box(put=[Put(CLI, "#!/bin/sh\nexit 3\n")])) == [
        f"berth: error: agent claude does not run: '{CLI} --version' fails"
    ]


def test_an_image_without_agents_is_healthy(box: Callable[..., Box]) -> None:
    assert box(put=[Put("/usr/local/lib/berth/agents", ""), Put(CLI, "", mode=0o644)]).start() == [READY]


def test_an_agents_program_is_run_once_a_start_and_once_a_version(box: Callable[..., Box]) -> None:
    one = box(put=[Put(CLI, COUNTING)])
    one.start()
    assert [one.run(CHECK), one.run(CHECK), one.run(CHECK)] == [(0, "")] * 3
    assert one.read("cat", "/tmp/runs") == "--version"
    one.put([Put(CLI, COUNTING + "# a newer version\n")])
    assert [one.run(CHECK), one.run(CHECK)] == [(0, "")] * 2
    assert one.read("cat", "/tmp/runs") == "--version\n--version"
    one.api.kill(one.id)
    one.start()
    assert one.read("cat", "/tmp/runs").count("--version") == 3


def test_a_program_that_broke_is_reported_each_time(box: Callable[..., Box]) -> None:
    one = box()
    one.start()
    one.put([Put(CLI, "#!/bin/sh\nexit 3\n")])
    assert [one.run(CHECK), one.run(CHECK)] == [(1, f"agent claude does not run: '{CLI} --version' fails\n")] * 2


def test_a_full_disk_is_a_warning_at_the_start_and_a_problem_later(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_DISK_LIMIT": "0"}, volumes=["/home/agent"])
    *warnings, ready = one.start()
    assert ready == READY
    assert len(warnings) == 2, "one for each file system"
    assert all(line.startswith("berth: warning: the disk of /") and line.endswith("(limit 0 %)") for line in warnings)
    status, output = one.run(CHECK)
    assert status == 1
    assert output.startswith("the disk of / is ")


def test_a_limit_that_is_no_number_is_an_error(box: Callable[..., Box]) -> None:
    assert refused(box(env={"BERTH_DISK_LIMIT": "most"})) == [
        "berth: error: BERTH_DISK_LIMIT must be a number of percent"
    ]


def test_a_container_that_never_got_ready_is_not_healthy(box: Callable[..., Box]) -> None:
    one = box()
    one.start()
    one.run("rm", "/run/berth/ready")
    assert one.run(CHECK) == (1, "the container has not finished starting\n")


def test_every_problem_is_told(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_WORKSPACES": "/workspace/a"}, put=[Put(CLI, "", mode=0o644)])
    assert len(refused(one)) == 2


@pytest.mark.parametrize("user", ["root", "agent"])
def test_the_launcher_runs_the_program_as_the_agent_where_one_is(box: Callable[..., Box], user: str) -> None:
    one = box(env={"BERTH_UID": "1234", "BERTH_GID": "1235"})
    one.start()
    status, output = one.run("claude", "-c", "a b", "--version", "$HOME", user=user, workdir="/workspace")
    assert status == 0
    assert output.splitlines() == [
        "user=agent uid=1234 gid=1235 home=/home/agent user_variable=agent",
        "cwd=/workspace autoupdater_off=1",
        "argument=-c",
        "argument=a b",
        "argument=--version",
        "argument=$HOME",
    ]


def test_the_launcher_hands_the_terminal_to_the_agent(box: Callable[..., Box]) -> None:
    one = box(put=[Put(CLI, '#!/bin/sh\n[ "$1" = --version ] || stat -c %U "$(tty)"\n')])
    one.start()
    assert one.run("claude", tty=True) == (0, "agent\n")


def test_the_launcher_passes_the_programs_status_on(box: Callable[..., Box]) -> None:
    one = box(put=[Put(CLI, '#!/bin/sh\n[ "$1" = --version ] || exit 7\n')])
    one.start()
    assert one.run("claude")[0] == 7


def test_declared_arguments_come_before_the_callers_and_variables_reach_the_program(box: Callable[..., Box]) -> None:
    one = box(
        put=[
            Put("/etc/berth/agents/claude/arguments", "--first\na b\nlast without end"),
            Put("/etc/berth/env/claude/TOKEN", "x\ny\n"),
            Put("/etc/berth/env/claude/2BAD", "never"),
            Put("/etc/berth/env/claude/PATH", "/nowhere"),
            Put("/etc/berth/env/other/TOKEN", "another agent's"),
            Put(CLI, '#!/bin/sh\n[ "$1" = --version ] || printf "%s|" "$@" "$TOKEN" "$PATH"\n'),
        ]
    )
    one.start()
    assert one.run("claude", "", "$x")[1] == "--first|a b|last without end||$x|x\ny\n|/nowhere|"


def test_without_any_declared_file_the_arguments_are_the_callers_alone(box: Callable[..., Box]) -> None:
    one = box(put=[Put("/etc/berth/generation", "empty"), Put(CLI, '#!/bin/sh\n[ "$1" = --version ] || echo "$#"\n')])
    assert one.start() == [READY]
    assert one.run("claude", "")[1] == "1\n"


def test_a_program_of_the_agents_in_the_projects_path_is_not_run_by_root(box: Callable[..., Box]) -> None:
    trap = "#!/bin/sh\necho trapped >&2\n"
    one = box(
        env={"PATH": "/home/agent/bin:/usr/bin:/bin"},
        put=[
            Put(f"/home/agent/bin/{name}", trap, uid=1000, gid=1000) for name in ("id", "su", "setpriv", "env", "tty")
        ],
    )
    one.start()
    for command in ("/usr/local/bin/claude", "/usr/local/lib/berth/takeover"):
        assert "trapped" not in one.run(command)[1]


def test_an_image_without_python_says_that_it_cannot_take_over(box: Callable[..., Box]) -> None:
    one = box(put=[Put("/etc/berth/generation", "1", uid=1000, mode=0o400)])
    message = "this image has no /usr/bin/python3, which this needs: add the package python3"
    assert one.start() == [f"berth: warning: {message}", READY]
    assert one.run("/usr/local/lib/berth/takeover", user="agent") == (1, f"berth: error: {message}\n")
    status, output = one.run("claude", "x")  # what is said goes to stderr, and may arrive after the program's own
    assert (status, output.count(f"berth: error: {message}\n")) == (0, 1)


def test_the_launcher_says_what_to_do_without_a_program(box: Callable[..., Box]) -> None:
    one = box()
    one.start()
    one.run("rm", CLI)
    status, output = one.run("claude")
    assert status == 127
    assert output.startswith(f"claude: the program {CLI} is missing or not executable.\n")
    assert "berth_image_agents" in output
