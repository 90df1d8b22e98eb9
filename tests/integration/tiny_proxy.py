# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the proxy's image, of busybox alone: for tests of what Berth does with a proxy, not of what it allows.

It answers on its port, reads its configuration anew when told, and refuses one that has the word ``broken`` in it.
"""

from __future__ import annotations

import hashlib
from typing import Any

from tiny_image import tiny_layer

LIB = "usr/local/lib/berth-proxy"
START = """#!/bin/sh
grep -q broken /etc/berth-proxy/proxy.conf && echo "FATAL: bungled" && exit 1
cp /etc/berth-proxy/proxy.conf /tmp/read
nc -ll -p 3128 -e cat /tmp/read &
for port in $BERTH_FORWARD; do
    nc -ll -p "$port" -e nc "$BERTH_FORWARD_TO" "$port" &
done
echo "berth: denied 2026-01-02T03:04:05Z CONNECT evil.example:443"
echo "berth: ready"
wait
"""
RELOAD = """#!/bin/sh
if grep -q broken /etc/berth-proxy/proxy.conf; then echo "berth: error: line 1 is broken"; exit 1; fi
cp /etc/berth-proxy/proxy.conf /tmp/read
"""
CONFIG = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "USER 13:13",
    f'ENTRYPOINT ["/{LIB}/start"]',
)


def build_tiny_proxy(api: Any) -> str:
    """Make sure that the engine has the image; returns its reference. It is shared as the tiny image is."""
    layer = tiny_layer({f"{LIB}/start": START, f"{LIB}/reload": RELOAD})
    digest = hashlib.sha256(layer + "\n".join(CONFIG).encode()).hexdigest()[:16]
    reference = f"berth-tiny-proxy:{digest}"
    if not api.images(name=reference):
        api.import_image_from_data(layer, repository="berth-tiny-proxy", tag=digest, changes=CONFIG)
    return reference
