"""TLS of a hub's proxy where labgate is alone: keys and certificates that cannot be used.

``test_contract_tls`` has what configurable-http-proxy does, too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.errors import StartError
from proxy.hub.api_tls import ApiTls
from proxy.hub.options import TlsFiles
from tests.certificates import pair
from tests.hub.over_tls import protect
from tests.hub.running import in_thread


@pytest.mark.parametrize("group", ["ssl", "api-ssl"])
def test_a_key_whose_passphrase_is_not_given(tmp_path: Path, group: str) -> None:
    cert, key = pair(tmp_path / "pair", "localhost")
    protect(key, b"secret")
    flags = [f"--{group}-cert", str(cert), f"--{group}-key", str(key)]
    with pytest.raises(StartError, match=r"passphrase|--api-ssl-key"), in_thread(*flags):
        pass


def test_half_a_pair_leaves_the_one_before(tmp_path: Path) -> None:
    cert, key = pair(tmp_path / "api", "localhost")
    tls = ApiTls(TlsFiles(cert, key))
    assert not tls.reload()
    cert.write_bytes(b"half")
    with pytest.raises(OSError, match=r"."):
        tls.reload()
    pair(tmp_path / "api", "localhost")
    assert tls.reload()


def test_files_of_the_api_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--api-ssl-cert .*missing"):
        ApiTls(TlsFiles(tmp_path / "missing", tmp_path / "missing"))
