# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entrypoint, in a tiny image: who the agent is, whose the files are, and what a kill leaves behind."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from image_box import READY, Box, Put

IDS = {"BERTH_UID": "1234", "BERTH_GID": "1235"}
PASSWD = "root:x:0:0::/root:/bin/sh\n{other}agent:x:1000:1000::/home/agent:/bin/sh\n"


def test_it_says_ready_and_stays_alive_as_the_agent(box: Callable[..., Box]) -> None:
    one = box()
    assert one.start() == [READY]
    processes = one.read("ps", "-o", "user,args")
    assert "agent    sleep infinity" in processes
    assert one.read("cat", "/run/berth/ready")


def test_it_ends_at_once_when_asked_to(box: Callable[..., Box]) -> None:
    one = box()
    one.start()
    began = time.monotonic()
    one.api.stop(one.id, timeout=10)
    assert time.monotonic() - began < 3


def test_a_command_runs_as_the_agent_instead_of_waiting(box: Callable[..., Box]) -> None:
    one = box(command=["sh", "-c", "id -un"])
    one.api.start(one.id)
    assert one.api.wait(one.id)["StatusCode"] == 0
    assert one.lines() == [READY, "agent"]


def test_the_agent_gets_the_declared_ids_and_its_folders(box: Callable[..., Box]) -> None:
    one = box(env=IDS, volumes=["/home/agent", "/home/agent/.claude"])
    assert one.start() == [READY]
    assert one.read("id", "agent").startswith("uid=1234(agent) gid=1235(agent)")
    assert {one.owner(path) for path in ("/home/agent", "/home/agent/.claude", "/workspace")} == {"1234:1235"}


def test_another_user_with_the_uid_gets_a_free_one_and_keeps_its_home(box: Callable[..., Box]) -> None:
    one = box(
        env=IDS,
        put=[
            Put("/etc/passwd", PASSWD.format(other="bob:x:1234:100::/home/bob:/bin/sh\nlow:x:60000:1::/:/bin/sh\n")),
            Put("/home/bob/", uid=1234, gid=100),
            Put("/home/bob/file", uid=1234, gid=100),
            Put("/home/bob/not-his", uid=0),
        ],
    )
    warning, ready = one.start()
    assert (ready, warning) == (READY, "berth: warning: user bob had uid 1234, which agent takes; it has 60001 now")
    assert one.read("id", "-u", "bob") == "60001"
    assert one.read("id", "-u", "agent") == "1234"
    assert [one.owner(f"/home/bob{name}") for name in ("", "/file", "/not-his")] == ["60001:100", "60001:100", "0:0"]


def test_a_system_user_with_the_uid_does_not_take_folders_along_that_are_not_its_own(box: Callable[..., Box]) -> None:
    one = box(env=IDS, put=[Put("/etc/passwd", PASSWD.format(other="daemon:x:1234:1::/etc:/bin/sh\n"))])
    assert one.start()[-1] == READY
    assert one.owner("/etc/passwd") == "0:0"


def test_a_group_with_the_gid_becomes_the_agents_under_its_own_name(box: Callable[..., Box]) -> None:
    one = box(env={"BERTH_GID": "100"})
    assert one.start() == [READY]
    assert one.read("id", "agent") == "uid=1000(agent) gid=100(users) groups=100(users)"


def test_only_files_of_the_old_ids_change_hands_and_links_are_not_followed(box: Callable[..., Box]) -> None:
    one = box(
        env=IDS,
        volumes=["/home/agent"],
        put=[
            Put("/home/agent/mine", uid=1000, gid=1000),
            Put("/home/agent/deep/", uid=1000, gid=1000),
            Put("/home/agent/deep/roots", uid=0, gid=1000),
            Put("/home/agent/anothers", uid=4321, gid=4321),
            Put("/home/agent/link", uid=1000, gid=1000, target="/etc/passwd"),
        ],
    )
    assert one.start() == [READY]
    owners = {name: one.owner(f"/home/agent/{name}") for name in ("mine", "deep", "deep/roots", "anothers", "link")}
    assert owners == {
        "mine": "1234:1235",
        "deep": "1234:1235",
        "deep/roots": "0:1235",
        "anothers": "4321:4321",
        "link": "1234:1235",
    }
    assert one.owner("/etc/passwd") == "0:0"


def test_a_home_whose_owner_is_right_is_not_walked(box: Callable[..., Box]) -> None:
    one = box(env=IDS, put=[Put("/home/agent/", uid=1234, gid=1235), Put("/home/agent/old", uid=1000, gid=1000)])
    assert one.start() == [READY]
    assert one.owner("/home/agent/old") == "1000:1000"


def test_the_old_ids_are_those_of_each_folder(box: Callable[..., Box]) -> None:
    one = box(
        env=IDS,
        volumes=["/home/agent", "/home/agent/.claude"],
        put=[
            Put("/home/agent/.claude/", uid=4000, gid=4000, mode=0o700),
            Put("/home/agent/.claude/state", uid=4000, gid=4000),
            Put("/home/agent/.claude/odd", uid=1000, gid=1000),
        ],
    )
    assert one.start() == [READY]
    assert one.owner("/home/agent/.claude/state") == "1234:1235"
    assert one.owner("/home/agent/.claude/odd") == "1000:1000"


def test_what_the_user_mounted_in_the_home_is_left_alone(box: Callable[..., Box]) -> None:
    mounted = "/home/agent/my [data]"
    one = box(
        env=IDS,
        volumes=["/home/agent", mounted],
        put=[Put(f"{mounted}/", uid=1000, gid=1000), Put(f"{mounted}/file", uid=1000, gid=1000)],
    )
    assert one.start() == [READY]
    assert [one.owner(path) for path in (mounted, f"{mounted}/file")] == ["1000:1000", "1000:1000"]


def test_of_a_folder_of_root_only_the_folder_itself_changes_hands(box: Callable[..., Box]) -> None:
    one = box(env=IDS, put=[Put("/home/agent/"), Put("/home/agent/roots")])
    assert one.start() == [READY]
    assert [one.owner(path) for path in ("/home/agent", "/home/agent/roots")] == ["1234:1235", "0:0"]


def test_a_walk_that_was_cut_off_is_finished_by_the_next_start(box: Callable[..., Box]) -> None:
    one = box(
        env=IDS,
        put=[
            Put("/etc/passwd", PASSWD.format(other="").replace("1000:1000", "1234:1235")),
            Put("/home/agent/done", uid=1234, gid=1235),
            Put("/home/agent/left", uid=1000, gid=1000),
        ],
    )
    assert one.start() == [READY]
    assert {one.owner(f"/home/agent{name}") for name in ("", "/done", "/left")} == {"1234:1235"}


def test_a_kill_at_any_moment_leaves_what_the_next_start_can_finish(box: Callable[..., Box]) -> None:
    files = [Put(f"/home/agent/{number}", uid=1000, gid=1000) for number in range(3000)]
    other = "bob:x:1234:100::/home/bob:/bin/sh\n"
    for delay in (0.01, 0.03, 0.05, 0.08, 0.12, 0.2):
        one = box(
            env=IDS,
            volumes=["/home/agent"],
            put=[*files, Put("/etc/passwd", PASSWD.format(other=other)), Put("/home/bob/", uid=1234)],
        )
        one.api.start(one.id)
        time.sleep(delay)
        one.api.kill(one.id, signal="KILL")
        one.api.wait(one.id)
        assert one.start()[-1] == READY
        assert one.read("find", "/home/agent", "!", "-user", "1234", "-o", "!", "-group", "1235") == ""
        assert one.read("sh", "-c", "id -u bob; id -u agent; stat -c %u /home/bob").split() == [
            "60000",
            "1234",
            "60000",
        ]


@pytest.mark.parametrize("ids", [{"BERTH_UID": "0"}, {"BERTH_GID": "0"}, {"BERTH_UID": "agent"}, {"BERTH_UID": "-1"}])
def test_it_refuses_to_make_the_agent_root_or_nobody_knows_whom(box: Callable[..., Box], ids: dict[str, str]) -> None:
    one = box(env=ids)
    assert one.start() == ["berth: error: BERTH_UID and BERTH_GID must be numbers above 0: an agent is never root"]
    assert one.state()["ExitCode"] == 1


def test_a_restart_does_it_all_again_and_changes_nothing(box: Callable[..., Box]) -> None:
    one = box(env=IDS)
    one.start()
    accounts = one.read("cat", "/etc/passwd", "/etc/group", "/etc/shadow")
    assert "640" in one.read("stat", "-c", "%a", "/etc/shadow")
    one.api.kill(one.id)
    assert one.start() == [READY]
    assert one.read("cat", "/etc/passwd", "/etc/group", "/etc/shadow") == accounts


def test_the_time_zone_is_set_for_programs_that_ignore_the_variable(box: Callable[..., Box]) -> None:
    one = box(env={"TZ": "Mars/Base"}, put=[Put("/usr/share/zoneinfo/Mars/Base", "TZif2")])
    assert one.start() == [READY]
    assert one.read("readlink", "/etc/localtime") == "/usr/share/zoneinfo/Mars/Base"
    assert one.read("cat", "/etc/timezone") == "Mars/Base"


MARS = "/usr/share/zoneinfo/Mars/Base"
OWN_ZONE = (Put("/etc/localtime", target="/usr/share/zoneinfo/Etc/UTC"), Put("/etc/timezone", "Etc/UTC\n"))
ZONE_FILES = "readlink /etc/localtime; cat /etc/timezone 2>/dev/null; :"


@pytest.mark.parametrize("own", [OWN_ZONE, ()])
def test_the_images_own_time_zone_comes_back_when_the_project_has_none(
    api: Any, box: Callable[..., Box], own: tuple[Put, ...]
) -> None:
    one = box(env={"TZ": "Mars/Base"}, put=[*own, Put(MARS, "TZif2")])
    own_files = "/usr/share/zoneinfo/Etc/UTC\nEtc/UTC" if own else ""
    boxes: list[Box] = []
    images: list[str] = []
    try:
        for zone, files in (
            ("Venus", "UTC"),
            ("Mars/Base", f"{MARS}\nMars/Base"),
            ("", own_files),
            ("Mars/Base", f"{MARS}\nMars/Base"),
            ("UTC", "UTC"),
            ("", own_files),
        ):
            images.append(api.commit(boxes[-1].id if boxes else one.id)["Id"])
            boxes.append(Box(api, images[-1], env={"TZ": zone}))
            assert boxes[-1].start()[-1] == READY
            assert boxes[-1].read("sh", "-c", ZONE_FILES) == files
    finally:
        for after in boxes:
            after.remove()
        api.remove_image(images[-1])  # its parents go along


def test_utc_is_linked_like_any_other_zone(box: Callable[..., Box]) -> None:
    one = box(env={"TZ": "UTC"}, put=[Put("/etc/localtime", target=MARS), Put("/usr/share/zoneinfo/UTC", "TZif2")])
    assert one.start() == [READY]
    assert one.read("sh", "-c", ZONE_FILES) == "/usr/share/zoneinfo/UTC\nUTC"


@pytest.mark.parametrize("zone", ["Mars/Base", "UTC"])
def test_a_time_zone_that_cannot_be_set_is_a_warning(box: Callable[..., Box], tmp_path: Path, zone: str) -> None:
    (tmp_path / "zone").write_text("TZif2")
    one = box(env={"TZ": zone}, put=[Put(MARS, "TZif2")], binds=[f"{tmp_path}/zone:/etc/localtime:ro"])
    lines = one.start()
    assert lines[-1] == READY
    assert any(line.startswith("berth: warning: the time zone cannot be set") for line in lines)


@pytest.mark.parametrize("zone", ["Mars/Base", "../../etc/passwd", "/etc/passwd"])
def test_an_unknown_time_zone_is_a_warning(box: Callable[..., Box], zone: str) -> None:
    warning, ready = box(env={"TZ": zone}).start()
    assert warning.startswith(f"berth: warning: time zone {zone} is not ")
    assert ready == READY


def test_the_agent_joins_the_group_of_the_engines_socket(box: Callable[..., Box], tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        if os.geteuid() == 0:
            os.chown(path, 0, 4242)
        gid = path.stat().st_gid
        one = box(binds=[f"{path}:/run/docker.sock"])
        assert one.start() == [READY]
        assert str(gid) in one.read("id", "-G", "agent").split()
        one.api.kill(one.id)
        assert one.start() == [READY]
        assert one.read("id", "-G", "agent").split().count(str(gid)) == 1


def test_a_path_that_a_project_sets_does_not_break_the_start(box: Callable[..., Box]) -> None:
    assert box(env={"PATH": "/nowhere"}).start() == [READY]
