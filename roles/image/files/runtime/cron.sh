# shellcheck shell=sh
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What an image that has Debian's cron needs for scheduled tasks; see docs/base-image.md.

SPOOL=/var/spool/cron/crontabs
CRONTAB=$SPOOL/$AGENT

has_cron() { [ -x /usr/sbin/cron ] && [ -d "$SPOOL" ]; }

is_cron_running() {
    pid=
    [ ! -f /run/crond.pid ] || read -r pid </run/crond.pid || :
    [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = cron ]
}

# The agent writes its crontab itself, as a member of cron's group: the program crontab is setgid, which a hardened
# container forbids. cron takes a crontab only from the one it is for, who may have another uid than at the last start.
give_cron_to_agent() {
    members=$(lookup /etc/group 1 crontab 4)
    case ",$members," in
        *",$AGENT,"*) ;;
        *) [ -z "$(lookup /etc/group 1 crontab 3)" ] || set_field /etc/group crontab 4 "${members:+$members,}$AGENT" ;;
    esac
    rm -f "$SPOOL/.$AGENT.berth-new"
    # nothing but a file of its own name: a link that the agent put there would have root give away another's file
    if [ -f "$CRONTAB" ] && [ "$(stat -c %h "$CRONTAB")" = 1 ]; then
        chown -h "$AGENT" "$CRONTAB" || warn "$CRONTAB cannot be given to $AGENT"
    fi
}

# A login uid is the audit's business, and a container may not set it; as a "required" step of the session it would keep
# every job from running.
do_without_loginuid() {
    if grep -Eq '^session[[:blank:]]+required[[:blank:]]+pam_loginuid' /etc/pam.d/cron 2>/dev/null; then
        sed -i -E '/pam_loginuid/s/required/optional/' /etc/pam.d/cron
    fi
}

# start_cron PATH: cron's jobs know nothing of the container's environment; tasks read it, with this PATH, from a file.
start_cron() {
    (
        umask 077
        as_agent /usr/bin/env PATH="$1" /bin/cat /proc/self/environ >"$RUN_DIR/environment"
        chown "$AGENT" "$RUN_DIR/environment" && chmod 400 "$RUN_DIR/environment"
    ) || warn "the environment cannot be kept for scheduled tasks"
    if [ -e "$AGENT_HOME/.local/state/berth/schedule/tasks.json" ] || [ -e "$CRONTAB" ]; then
        as_agent "$LIB/berth-schedule" refresh 2>&1 | errors_as_warnings
    fi
    do_without_loginuid
    is_cron_running || cron || warn "cron does not start, so scheduled tasks do not run"
}
