"""The door: pages, metrics and API on one port, with who may come in as the configuration says."""

from __future__ import annotations

from pathlib import Path

from monitor.config.load import Config
from monitor.expose.credentials import Credentials
from monitor.expose.server import Site, Web
from monitor.expose.tls import Tls


def door(site: Site, config: Config) -> Web:
    """Prepare the server; raises MonitorError when a certificate or a password cannot be used."""
    web = config.web
    return Web(
        site,
        host=web.host,
        port=web.port,
        external_url=web.external_url,
        credentials=Credentials(web.basic_auth, web.tokens),
        tls=_tls(config),
    )


def _tls(config: Config) -> Tls | None:
    """Files are meant from beside the configuration."""
    tls, beside = config.web.tls, Path(config.file).resolve().parent
    if tls is None:
        return None
    return Tls(
        cert_file=beside / tls.cert_file,
        key_file=beside / tls.key_file,
        client_ca_file=beside / tls.client_ca_file if tls.client_ca_file else None,
        client_auth_type=tls.client_auth_type,
    )
