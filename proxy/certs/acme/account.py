"""The account with the CA: its key and its URL.

``<state>/acme/<CA>/`` holds ``account.key`` (PEM, 0600) and ``account.json``: the account's
URL, the directory's, and the mail address it was made with.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path

from acme import client, errors, messages
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from josepy.jwk import JWKEC

from proxy.certs.x509 import generate_key, key_pem
from proxy.config.certificate_settings import AcmeSettings
from proxy.runtime.secret_files import write_atomically

from .problems import ObtainError

NO_EMAIL = (
    "An account with the CA needs a mail address: give --email YOU@EXAMPLE.ORG (or acme.email). "
    "With it you agree to the CA's terms of service."
)


def account_folder(state_folder: Path, directory: str) -> Path:
    """The folder of the account with this CA."""
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", directory.partition("://")[2]).strip("._")
    return state_folder / "acme" / name


class Account:
    """The account with one CA.

    Raises:
        OSError: Its folder cannot be read or written.
        ObtainError: Its key is damaged.
    """

    def __init__(self, state_folder: Path, settings: AcmeSettings) -> None:
        self._settings = settings
        self.directory = settings.directory
        self.folder = account_folder(state_folder, settings.directory)
        self._file = self.folder / "account.json"
        self.key = JWKEC(key=self._key())

    @property
    def uri(self) -> str:
        """The account's URL; empty before it is registered."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads(self._file.read_bytes())["uri"])
        return ""

    def sign_in(self, acme: client.ClientV2) -> None:
        """Use the account for all further requests; register it first if needed.

        Raises:
            messages.Error: The CA refuses it.
            ObtainError: No mail address is configured, or external account binding is wrong.
        """
        uri = self.uri
        if not uri:
            self.register(acme)
            return
        acme.net.account = messages.RegistrationResource(uri=uri, body=messages.Registration())

    def register(self, acme: client.ClientV2) -> None:
        """Register the key with the CA, for the first time or again.

        Raises:
            messages.Error: The CA refuses it.
            ObtainError: No mail address is configured, or external account binding is wrong.
        """
        email = self._settings.email or self._known_email()
        if not email:
            raise ObtainError(NO_EMAIL)
        acme.net.account = None
        registration = messages.NewRegistration.from_data(
            email=email, terms_of_service_agreed=True, external_account_binding=self._binding(acme)
        )
        try:
            account = acme.new_account(registration)
            uri = account.uri
        except errors.ConflictError as known:
            # The CA knows the key already (RFC 8555 section 7.3.1).
            uri = known.location
        acme.net.account = messages.RegistrationResource(uri=uri, body=messages.Registration())
        content = {"uri": uri, "directory": self._settings.directory, "email": email}
        write_atomically(self._file, json.dumps(content, indent=1).encode("utf-8"))

    def _binding(self, acme: client.ClientV2) -> dict[str, object] | None:
        """External account binding (RFC 8555 section 7.3.4)."""
        settings = self._settings
        if not settings.eab_kid:
            return None
        try:
            return messages.ExternalAccountBinding.from_data(
                self.key.public_key(), settings.eab_kid, settings.eab_hmac_key, acme.directory
            )
        except (ValueError, TypeError):
            raise ObtainError(
                "acme.eab_hmac_key is not base64url. Copy it again from what the CA gave you."
            ) from None

    def _known_email(self) -> str:
        with suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads(self._file.read_bytes())["email"])
        return ""

    def _key(self) -> ec.EllipticCurvePrivateKey:
        file = self.folder / "account.key"
        try:
            key = load_pem_private_key(file.read_bytes(), None)
        except FileNotFoundError:
            key = generate_key()
            write_atomically(file, key_pem(key))
        except (ValueError, TypeError):
            raise self._damaged(file) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise self._damaged(file)
        return key

    def _damaged(self, file: Path) -> ObtainError:
        return ObtainError(
            f"The account key {file} is damaged. Remove {self.folder}; labgate then registers a "
            "new account."
        )
