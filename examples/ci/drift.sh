#!/bin/sh
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# drift.sh INVENTORY [ARGUMENT…]: changes nothing. Ends with 0 if every host is as declared, with 1 if anything would
# change, and with 2 if that is not known of every host. The plan stays in plan.json.
set -u
inventory=$1
shift
rm -f plan.json

ansible-playbook berth.projects.provision -i "$inventory" --check --diff \
    -e berth_fail_on_drift=true -e berth_plan_file=plan.json "$@"
ended=$?

python3 - "$ended" <<'END'
import json
import sys

try:
    with open("plan.json", encoding="utf-8") as file:
        plan = json.load(file)
except FileNotFoundError:
    sys.exit(2)  # ansible-playbook has not come so far, and has said why

drifts = failures = 0
for name, host in plan["hosts"].items():
    for project in host["projects"]:
        if project["changed"]:
            drifts += 1
            print(f"{name}: {project['name']}: {project['action']}")
    if host["status"] in ("failed", "unreachable", "not_begun"):
        failures += 1
        print(f"{name}: {host['status']}: {host['error'] or plan['error']}")
    elif host["status"] == "changed" and host["needs"]:
        drifts += 1
        print(f"{name}: lacks {', '.join(host['needs'])}")

if failures:
    sys.exit(2)
if drifts:
    sys.exit(1)
print("Nothing would change.")
sys.exit(0 if sys.argv[1] == "0" else 2)
END
