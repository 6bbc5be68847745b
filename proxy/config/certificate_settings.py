"""``[tls]`` and ``[acme]``: where certificates come from.

Tested by tests/config/test_load.py and tests/config/test_problems.py.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import field_validator, model_validator

from proxy.config.section import Section
from proxy.config.types import Challenges, Paths

LETSENCRYPT_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"


class TlsSettings(Section):
    """``[tls]``: certificate pairs; the n-th key belongs to the n-th certificate."""

    cert: Paths = ()
    key: Paths = ()
    unknown_name: Literal["default", "refuse"] = "default"

    @model_validator(mode="after")
    def _paired(self) -> TlsSettings:
        if len(self.cert) != len(self.key):
            raise ValueError(
                f"{len(self.cert)} certificate(s) and {len(self.key)} key(s): give tls.cert and "
                "tls.key in pairs, the n-th key for the n-th certificate"
            )
        return self


class AcmeSettings(Section):
    """``[acme]``: certificates obtained by labgate itself, and certbot's challenges."""

    webroot: Path | None = None
    email: str = ""
    directory: str = LETSENCRYPT_DIRECTORY
    challenges: Challenges = (
        "http-01",
        "tls-alpn-01",
    )
    profile: str = ""
    eab_kid: str = ""
    eab_hmac_key: str = ""
    ca_file: Path | None = None

    @field_validator("email")
    @classmethod
    def _an_address(cls, email: str) -> str:
        if email and not re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", email):
            raise ValueError(f"{email!r} is not a mail address; write for example me@example.org")
        return email

    @field_validator("directory")
    @classmethod
    def _an_address_of_a_directory(cls, directory: str) -> str:
        if directory == "staging":
            return LETSENCRYPT_STAGING
        if not re.fullmatch(r"https://[^/\s]+/\S*", directory):
            message = f"{directory!r} is not the https:// address of an ACME directory; leave it "
            raise ValueError(message + 'out for Let\'s Encrypt, or write "staging" for tests')
        return directory

    @model_validator(mode="after")
    def _binding_whole(self) -> AcmeSettings:
        if bool(self.eab_kid) != bool(self.eab_hmac_key):
            raise ValueError("eab_kid and eab_hmac_key belong together: give both or neither")
        return self
