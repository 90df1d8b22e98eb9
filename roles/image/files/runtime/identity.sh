# shellcheck shell=sh
# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Gives the agent its uid and gid. Edits the account files itself, because small images have no usermod. Each change is
# one rename, and they are made in an order in which a start after a kill at any point finds out what is left to do.

# rewrite FILE CONTENT: put the content in the file's place, in one step, with the file's mode.
rewrite() {
    if ! { cp -p "$1" "$1.berth" && printf '%s\n' "$2" >"$1.berth" && mv -f "$1.berth" "$1"; }; then
        fail "cannot write $1"
    fi
}

# add_line FILE LINE
add_line() {
    rewrite "$1" "$(cat "$1")
$2"
}

# set_field FILE NAME FIELD VALUE: of the line of this name; the other lines stay as they are.
set_field() {
    changed=$(awk -F: -v OFS=: -v n="$2" -v f="$3" -v v="$4" '$1 == n { $f = v } { print }' "$1") || fail "cannot read $1"
    rewrite "$1" "$changed"
}

# lookup FILE FIELD VALUE WANTED: field WANTED of the first line whose FIELD is VALUE; nothing when there is none.
lookup() { awk -F: -v f="$2" -v v="$3" -v w="$4" '$f == v { print $w; exit }' "$1"; }

# reown TOP OLD_UID OLD_GID NEW_UID NEW_GID: what belongs to the old ids in the folder TOP belongs to the new ones then.
# TOP itself comes last, so its owner proves that a walk was completed. What is mounted below TOP is left alone: it is
# the user's, or has its own turn. root's files stay root's, whatever TOP is.
reown() {
    top=$1 old_uid=$2 old_gid=$3 new_uid=$4 new_gid=$5
    set --
    while IFS= read -r mounted; do
        mounted=$(printf '%b' "$(printf '%s' "$mounted" | sed 's/\\/\\0/g')")
        case $mounted in
            "$top"/*) set -- "$@" -path "$(printf '%s' "$mounted" | sed 's/[][*?\\]/\\&/g')" -prune -o ;;
        esac
    done <<MOUNTS
$(mount_points)
MOUNTS
    # Two walks: busybox forgets an -exec + in parentheses, and miscounts one after a "!".
    for change in "user $old_uid chown $new_uid" "group $old_gid chgrp $new_gid"; do
        # shellcheck disable=SC2086  # four words without blanks
        reown_where "$top" $change "$@"
    done
    chown -h "$new_uid:$new_gid" "$top" || fail "cannot give $top to uid $new_uid, gid $new_gid"
}

# reown_where TOP KIND OLD COMMAND NEW PRUNE...: COMMAND NEW on all below TOP whose KIND (user, group) is OLD.
reown_where() {
    where=$1 kind=$2 old=$3 command=$4 new=$5
    shift 5
    if [ "$old" != 0 ] && [ "$old" != "$new" ]; then
        find "$where" -xdev -mindepth 1 "$@" "-$kind" "$old" -exec "$command" -h "$new" {} + ||
            fail "cannot give all files of $kind $old in $where to $kind $new"
    fi
}

# The old ids are those of the folder: it may be a volume that an image with other accounts filled.
reown_if_needed() {
    [ -d "$1" ] || return 0
    owner=$(stat -c %u:%g "$1")
    [ "$owner" = "$2:$3" ] || reown "$1" "${owner%:*}" "${owner#*:}" "$2" "$3"
}

# free_uid UID: every other user with this uid gets a free one, its home first: once the account is changed,
# nothing would tell a later start that files were left.
free_uid() {
    while other=$(awk -F: -v u="$1" -v n="$AGENT" '$3 == u && $1 != n { print $1; exit }' /etc/passwd) &&
        [ -n "$other" ]; do
        other_uid=$(awk -F: -v not="$1" '
            { taken[$3] = 1 }
            END { for (u = 60000; (u in taken) || u == not; u++); print u }' /etc/passwd)
        other_home=$(lookup /etc/passwd 1 "$other" 6)
        if [ -d "$other_home" ] && [ "$other_home" != "$AGENT_HOME" ]; then
            home_owner=$(stat -c %u:%g "$other_home")
            home_gid=${home_owner#*:}
            # a home that another owns (/, /bin, /var/lib/x) is not this user's to take along
            [ "${home_owner%:*}" != "$1" ] || reown "$other_home" "$1" "$home_gid" "$other_uid" "$home_gid"
        fi
        set_field /etc/passwd "$other" 3 "$other_uid"
        warn "user $other had uid $1, which $AGENT takes; it has $other_uid now"
    done
}

# group_with_gid GID NAME: if no group has this gid, group NAME gets it, and is made where it is missing.
group_with_gid() {
    if [ -z "$(lookup /etc/group 3 "$1" 1)" ]; then
        if [ -n "$(lookup /etc/group 1 "$2" 1)" ]; then
            set_field /etc/group "$2" 3 "$1"
        else
            add_line /etc/group "$2:x:$1:"
        fi
    fi
}

# take_ids UID GID: the agent's account and folders have these ids then.
take_ids() {
    for id in "$1" "$2"; do
        case $id in
            '' | *[!0-9]* | 0*) fail "BERTH_UID and BERTH_GID must be numbers above 0: an agent is never root" ;;
        esac
    done
    free_uid "$1"
    group_with_gid "$2" "$AGENT"
    if [ "$(lookup /etc/passwd 1 "$AGENT" 3):$(lookup /etc/passwd 1 "$AGENT" 4)" != "$1:$2" ]; then
        set_field /etc/passwd "$AGENT" 3 "$1"
        set_field /etc/passwd "$AGENT" 4 "$2"
    fi
    for folder in "$AGENT_HOME" "$AGENT_HOME/.claude" /workspace; do
        # one that nobody may write to needs no owner
        if is_mount_point "$folder" || ! is_read_only; then reown_if_needed "$folder" "$1" "$2"; fi
    done
}

# join_group_of FILE NAME: the agent is in the group of FILE then; NAME is what that group is called if it has no name.
join_group_of() {
    gid=$(stat -L -c %g "$1")
    group_with_gid "$gid" "$2"
    members=$(lookup /etc/group 3 "$gid" 4)
    case ",$members," in
        *",$AGENT,"*) ;;
        *) set_field /etc/group "$(lookup /etc/group 3 "$gid" 1)" 4 "${members:+$members,}$AGENT" ;;
    esac
}
