# Copyright (c) 2026, The Berth maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options for choosing the engine, shared by all modules."""

    DOCUMENTATION = r"""
options:
  docker_host:
    description:
      - The engine to talk to, as a URL (C(unix://), C(tcp://), C(ssh://)).
      - The module reads folders and keeps files on the host it runs on, so the engine should be on that host.
      - If not set, the environment variable E(DOCKER_HOST) is used where there is one.
    type: str
    default: unix:///var/run/docker.sock
    aliases: [docker_url]
  api_version:
    description:
      - The version of the engine's API to speak. V(auto) takes the newest that both sides know.
      - If not set, E(DOCKER_API_VERSION) is used where there is one.
    type: str
    default: auto
    aliases: [docker_api_version]
  timeout:
    description:
      - How long to wait for one answer of the engine, in seconds.
      - If not set, E(DOCKER_TIMEOUT) is used where there is one.
    type: int
    default: 60
  tls:
    description:
      - Use TLS, without checking the engine's certificate unless O(validate_certs) is set as well.
      - If not set, E(DOCKER_TLS) is used where there is one.
    type: bool
    default: false
  validate_certs:
    description:
      - Use TLS and check the engine's certificate.
      - If not set, E(DOCKER_TLS_VERIFY) is used where there is one.
    type: bool
    default: false
    aliases: [tls_verify]
  ca_path:
    description: The certificate of the authority that signed the engine's. Defaults to C(ca.pem) in O(cert_folder).
    type: path
    aliases: [ca_cert, tls_ca_cert, cacert_path]
  client_cert:
    description: The client's certificate. Defaults to C(cert.pem) in O(cert_folder).
    type: path
    aliases: [tls_client_cert, cert_path]
  client_key:
    description: The file with the client's key. Defaults to C(key.pem) in O(cert_folder).
    type: path
    aliases: [tls_client_key, key_path]
  cert_folder:
    description:
      - The folder with the three files above.
      - If not set, E(DOCKER_CERT_PATH) is used where there is one.
    type: path
requirements:
  - Docker Engine 20.10 (API 1.41) or newer
  - Docker SDK for Python 5.0.3 or newer on the host that runs the module
"""
