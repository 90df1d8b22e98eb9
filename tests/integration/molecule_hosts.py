# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of the Molecule scenarios: containers with sshd, a plain user and room for an engine of their own.

    .venv/bin/python tests/integration/molecule_hosts.py up FOLDER
    .venv/bin/python tests/integration/molecule_hosts.py down

``up`` writes to the folder all that a control node has of hosts: an inventory, a key of this run, the hosts' public
keys. It also puts there the small image that projects are made of. The names of what it makes hold a hash of the
checkout's path, so that ``down`` needs no folder and two checkouts do not meet.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bare_image import bare_image_made
from engine_names import engine_client
from machines import ENGINE_FOLDER, MAKE_WRITABLE, machine_settings, put_files
from tiny_image import build_tiny_image

CHECKOUT = Path(__file__).resolve().parents[2]
NAME = f"molecule-{hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]}"
SUITES = ("bookworm", "trixie")  # Docker 20.10 and 26.1
USER, UID = "deploy", 1000
# dpkg need not wait for the disk after each file: nobody wants such a host back after a power failure.
HOST = f"""
FROM {{rootfs}}
RUN echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/unsafe-io \\
 && apt-get update -qq \\
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends openssh-server python3 sudo \\
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*
RUN useradd --uid {UID} --create-home --shell /bin/bash {USER} \\
 && install -d -o {UID} -g {UID} -m 0700 /home/{USER}/.ssh \\
 && echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}
"""
# Every host has keys of its own, and keeps them when it is started again.
START = f"""
{MAKE_WRITABLE}
mkdir -p /run/sshd
ssh-keygen -A >/dev/null
exec /usr/sbin/sshd -D -e
"""
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key.pub"
READ_HOST_KEY = f"until [ -s {HOST_KEY} ]; do sleep 0.1; done; cat {HOST_KEY}"
# The small image with Debian's Python, which what is for the agent needs: 40 MB, and no build on the hosts.
SMALL = """
FROM {host} AS python
RUN mkdir /out \\
 && ldd /usr/bin/python3 /usr/lib/python3.*/lib-dynload/*.so | sed -n 's#^[^/]*\\(/[^ ]*\\) (0x.*#\\1#p' | sort -u \\
    | xargs cp -L --parents -t /out /usr/bin/python3 \\
 && cp -a --parents /usr/lib/python3.* /out
FROM {tiny}
COPY --from=python /out /
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Make or remove the hosts of the Molecule scenarios.")
    actions = parser.add_subparsers(required=True, dest="action")
    actions.add_parser("up").add_argument("folder", type=Path)
    actions.add_parser("down")
    arguments = parser.parse_args()
    down()
    if arguments.action == "up":
        up(arguments.folder)


def down() -> None:
    """Remove the containers, their volumes and their network. The images stay, the next run starts from them."""
    with client() as api:
        for container in api.containers(all=True, filters={"name": f"^/{NAME}-"}):
            api.remove_container(container["Id"], force=True, v=True)
        for network in api.networks(names=[NAME]):
            api.remove_network(network["Id"])


def up(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", NAME, "-f", folder / "key"], check=True)
    public_key = (folder / "key.pub").read_bytes()
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(host_image, SUITES))
    with client() as api:
        small = small_image(api, images[0])
        save(api, small, folder / "image.tar")
        api.create_network(NAME, "bridge", check_duplicate=True)
        # One after the other: a network hands out its addresses in turn, so one that is started again gets its own.
        hosts = {suite: start(api, suite, image, public_key) for suite, image in zip(SUITES, images)}
    known = [f"{host['address']} {host['key']}" for host in hosts.values()]
    (folder / "known_hosts").write_text("".join(f"{line}\n" for line in known))
    (folder / "inventory.json").write_text(json.dumps(inventory(folder, hosts, small), indent=1))


def host_image(suite: str) -> str:
    """The image of a host: what a small installation has, and sshd."""
    with client() as api, tempfile.TemporaryDirectory() as scratch:
        rootfs = bare_image_made(api, suite, Path(scratch) / "root")
        return built(api, f"berth-test-host:{suite}", HOST.format(rootfs=rootfs), rootfs)


def small_image(api: Any, host: str) -> str:
    """The image that projects are made of."""
    tiny = build_tiny_image(api)
    return built(api, "berth-test-small:", SMALL.format(host=host, tiny=tiny), host, tiny)


def built(api: Any, name: str, recipe: str, *bases: str) -> str:
    """Build an image unless it is there; returns its reference, which ends with a hash of all it is made from."""
    made_of = "\n".join([recipe, *(api.inspect_image(base)["Id"] for base in bases)])
    reference = f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:12]}".replace(":-", ":")
    if not api.images(name=reference):
        for line in api.build(fileobj=io.BytesIO(recipe.encode()), tag=reference, rm=True, decode=True):
            if "error" in line:
                raise RuntimeError(f"{reference} could not be built: {line['error']}")
    return reference


def save(api: Any, reference: str, path: Path) -> None:
    with path.open("wb") as file:
        for chunk in api.get_image(reference):
            file.write(chunk)


def start(api: Any, suite: str, image: str, public_key: bytes) -> dict[str, str]:
    """Start a host; returns its address and its own public key."""
    container = api.create_container(
        image,
        ["sh", "-c", START],
        name=f"{NAME}-{suite}",
        hostname=suite,
        volumes=[ENGINE_FOLDER],
        host_config=machine_settings(Init=True, NetworkMode=NAME),
    )["Id"]
    put_files(api, container, f"/home/{USER}/.ssh", {"authorized_keys": public_key}, mode=0o600, owner=UID)
    api.start(container)
    read = api.exec_create(container, ["sh", "-c", READ_HOST_KEY])["Id"]
    key = api.exec_start(read).decode().strip()
    address = api.inspect_container(container)["NetworkSettings"]["Networks"][NAME]["IPAddress"]
    return {"address": address, "key": key}


def inventory(folder: Path, hosts: dict[str, dict[str, str]], image: str) -> dict[str, Any]:
    """The hosts as Ansible reaches them. ``fleet_container`` is the container that stands for a host."""
    options = f"-o UserKnownHostsFile={folder / 'known_hosts'} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    return {
        "fleet": {
            "hosts": {
                suite: {"ansible_host": host["address"], "fleet_container": f"{NAME}-{suite}"}
                for suite, host in hosts.items()
            },
            "vars": {
                "ansible_user": USER,
                "ansible_become": True,
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_private_key_file": str(folder / "key"),
                "ansible_ssh_common_args": options,
                "fleet_image": image,
                "fleet_image_file": str(folder / "image.tar"),
            },
        }
    }


@contextmanager
def client() -> Iterator[Any]:
    api = engine_client()
    try:
        yield api
    finally:
        api.close()


if __name__ == "__main__":
    main()
