# shellcheck shell=sh
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What an image that has Debian's cron needs for scheduled tasks; see docs/base-image.md.

SPOOL=/var/spool/cron/crontabs
CRONTAB=$SPOOL/$AGENT
ENVIRONMENT_DIR=/dev/shm/berth # as berth_run.py knows it

has_cron() { [ -x /usr/sbin/cron ] && [ -d "$SPOOL" ]; }

is_cron_running() {
    pid=
    [ ! -f /run/crond.pid ] || read -r pid </run/crond.pid || :
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = cron ]
}

# The agent writes its crontab itself, as a member of cron's group: the program crontab is setgid, which a hardened
# container forbids. cron takes a crontab only from the one it is for, who may have another uid than at the last start.
# The agent writes to the folder, so any step may fail: nothing here may end the start.
give_cron_to_agent() { (set +e && let_agent_write_crontab) 2>&1 | errors_as_warnings; }

join_cron_group() {
    members=$(lookup /etc/group 1 crontab 4)
    case ",$members," in
        *",$AGENT,"*) ;;
        *) [ -z "$(lookup /etc/group 1 crontab 3)" ] || set_field /etc/group crontab 4 "${members:+$members,}$AGENT" ;;
    esac
}

let_agent_write_crontab() {
    join_cron_group
    # In a read-only container the folder is memory, and root's alone.
    if [ "$(stat -c %G "$SPOOL")" != crontab ] && [ -n "$(lookup /etc/group 1 crontab 3)" ]; then
        chgrp crontab "$SPOOL" && chmod 1730 "$SPOOL"
    fi
    rm -rf "$SPOOL/.$AGENT.berth-new" # whatever the agent made of it: its next crontab is written there
    # nothing but a file of its own name: a link that the agent put there would have root give away another's file
    if [ -f "$CRONTAB" ] && [ "$(stat -c %h "$CRONTAB")" = 1 ]; then
        chown -h "$AGENT" "$CRONTAB" || warn "$CRONTAB cannot be given to $AGENT"
    fi
}

# A login uid is the audit's business, and a container may not set it; as a "required" step of the session it would keep
# every job from running.
do_without_loginuid() {
    ! is_read_only || return 0
    if grep -Eq '^session[[:blank:]]+required[[:blank:]]+pam_loginuid' /etc/pam.d/cron 2>/dev/null; then
        sed -i -E '/pam_loginuid/s/required/optional/' /etc/pam.d/cron || warn "/etc/pam.d/cron cannot be changed"
    fi
}

# keep_environment PATH: for cron's jobs, which know nothing of the container's environment. It may have secrets, so it is
# only in the memory that each start of a container has anew: a file anywhere else would be in every snapshot. The agent
# writes it itself, so that root follows nothing that the agent put there.
keep_environment() {
    [ "$(stat -f -c %T "${ENVIRONMENT_DIR%/*}" 2>/dev/null)" = tmpfs ] || return 1
    # shellcheck disable=SC2016  # for the inner shell to expand
    as_agent /usr/bin/env PATH="$1" /bin/sh -c '
        umask 077
        PATH=$1 rm -rf "$2" && PATH=$1 mkdir "$2" && set -C &&
            /bin/cat /proc/self/environ >"$2/new" &&
            PATH=$1 chmod 400 "$2/new" && PATH=$1 mv "$2/new" "$2/environment"
    ' sh "$SYSTEM_PATH" "$ENVIRONMENT_DIR"
}

# start_cron PATH: with this PATH for the tasks. What fails is a warning.
start_cron() {
    keep_environment "$1" || warn "the environment cannot be kept for scheduled tasks, so they do not run"
    if [ -e "$AGENT_HOME/.local/state/berth/schedule/tasks.json" ] || [ -e "$CRONTAB" ]; then
        as_agent "$LIB/berth-schedule" refresh 2>&1 | errors_as_warnings
    fi
    do_without_loginuid
    is_cron_running || cron || warn "cron does not start, so scheduled tasks do not run"
}
