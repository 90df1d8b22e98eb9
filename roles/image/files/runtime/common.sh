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
HOST_STATE=/etc/berth
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

warn() { echo "berth: warning: $*"; }

errors_as_warnings() { sed 's/^berth: error: /berth: warning: /'; }

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

# come_back_as_agent SCRIPT ARGUMENT...: when root runs it, a script starts itself again as the agent; else it goes on.
# A project may set PATH to folders that the agent writes to, so root runs nothing from there: PATH is the system's after
# this, and project_path what it was.
come_back_as_agent() {
    project_path=${PATH:-$SYSTEM_PATH}
    PATH=$SYSTEM_PATH
    [ "$(id -u)" != 0 ] || exec_as_agent env PATH="$project_path" "$@"
    if [ "$(id -un)" = "$AGENT" ]; then
        HOME=$AGENT_HOME USER=$AGENT LOGNAME=$AGENT
        export HOME USER LOGNAME
    fi
}

# run_python PROGRAM ARGUMENT...: one of the Python programs in this folder, as the agent, in this process's place.
run_python() {
    [ "$(id -un)" = "$AGENT" ] || fail "only $AGENT may do this: docker exec --user $AGENT …"
    [ -x /usr/bin/python3 ] || fail "this image has no /usr/bin/python3, which this needs: add the package python3"
    program=$1
    shift
    PATH=$project_path
    exec /usr/bin/python3 -E -s -S -B "/usr/local/lib/berth/$program" "$@"
}

# Whether host state is another than the one that was taken over. Cheap: it is asked at each start of an agent.
needs_takeover() {
    [ -r "$HOST_STATE/generation" ] || return 1
    taken=
    if [ -f "$AGENT_HOME/.local/state/berth/generation" ]; then
        read -r taken <"$AGENT_HOME/.local/state/berth/generation" || :
    fi
    wanted=
    read -r wanted <"$HOST_STATE/generation" || :
    [ "$wanted" != "${taken:-empty}" ]
}

# Whether the container may write nowhere but to what is mounted. Asked of the kernel: busybox's test says of root that it
# may write anything.
is_read_only() { awk '$5 == "/" { print "," $6 "," }' /proc/self/mountinfo | tail -n 1 | grep -q ,ro,; }

as_agent() ( exec_as_agent "$@" )

# The mount points that this process sees, one a line, as the kernel writes them: blanks and backslashes as \ooo.
mount_points() { awk '{ print $5 }' /proc/self/mountinfo; }

is_mount_point() {
    mount_points | grep -Fqx -- "$(printf '%s' "$1" | sed 's/\\/\\134/g; s/ /\\040/g; s/	/\\011/g')"
}
