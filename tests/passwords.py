"""A file of users for tests that ask for a password."""

from __future__ import annotations

from pathlib import Path

from passlib.hash import bcrypt


def write_htpasswd(folder: Path) -> Path:
    """A file in which ada has the password sesame, hashed as cheaply as bcrypt can."""
    file = folder / "htpasswd"
    file.write_text(f"ada:{bcrypt.using(rounds=4).hash('sesame')}\n")
    file.chmod(0o600)
    return file
