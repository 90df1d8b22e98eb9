# shellcheck shell=sh disable=SC2034
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the scripts in this folder share. POSIX sh, and only what both GNU tools and busybox have.

AGENT=agent
AGENT_HOME=/home/agent
RUN_DIR=/run/berth
AGENT_CLI_DIR=/opt/berth/agents/bin

warn() { echo "berth: warning: $*"; }

fail() {
    echo "berth: error: $*"
    exit 1
}

# Become the agent and run a command in this process's place. A third user, neither root nor agent, stays who it is.
exec_as_agent() {
    case $(id -un) in
        root | "$AGENT") ;;
        *) exec "$@" ;;
    esac
    HOME=$AGENT_HOME USER=$AGENT LOGNAME=$AGENT
    export HOME USER LOGNAME
    [ "$(id -u)" = 0 ] || exec "$@"
    # busybox has a setpriv too, but one that cannot change ids
    if setpriv --reuid="$AGENT" --regid="$(id -g "$AGENT")" --init-groups true 2>/dev/null; then
        exec setpriv --reuid="$AGENT" --regid="$(id -g "$AGENT")" --init-groups "$@"
    fi
    # shellcheck disable=SC2016  # for the inner shell to expand
    exec su -s /bin/sh -c 'exec "$@"' -- "$AGENT" sh "$@"
}

as_agent() ( exec_as_agent "$@" )

# The mount points that this process sees, one a line, as the kernel writes them: blanks and backslashes as \ooo.
mount_points() { awk '{ print $5 }' /proc/self/mountinfo; }

is_mount_point() {
    mount_points | grep -Fqx -- "$(printf '%s' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/	/\\011/g')"
}
