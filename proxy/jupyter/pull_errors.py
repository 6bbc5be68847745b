"""Explains why an image could not be pulled, and what to do, from the engine's message."""

from __future__ import annotations

from proxy.config.jupyter_settings import DEFAULT_IMAGE
from proxy.runtime.system_commands import COMMANDS

_REMEDIES = (
    (
        ("invalid reference format",),
        "Write jupyter.image as NAME:TAG, in lower case, for example {usual}",
    ),
    (
        ("no space left on device",),
        (
            "The disk is full where the engine keeps its images: `docker system df` tells what "
            "for, `docker image rm` makes room"
        ),
    ),
    (
        ("no basic auth credentials", "unauthorized", "authentication required"),
        (
            "The registry wants a login, and labgate has none: `docker login {registry}`, then "
            "`docker pull {image}`; labgate takes an image that is there"
        ),
    ),
    (
        ("access denied", "denied:"),
        (
            "Check the name in jupyter.image. If the repository is a private one: `docker login "
            "{registry}`, then `docker pull {image}`; labgate takes an image that is there"
        ),
    ),
    (
        ("no matching manifest for", "no match for platform"),
        (
            "There is none for this machine's processor under that tag: choose a tag of "
            "jupyter.image that has one"
        ),
    ),
    (
        ("manifest unknown", "not found"),
        "There is no such tag: check the name and tag in jupyter.image",
    ),
    (
        ("toomanyrequests", "rate limit"),
        (
            "The registry lets this address pull no more for now: wait, or `docker login "
            "{registry}` and `docker pull {image}`"
        ),
    ),
    (
        ("x509:", "certificate signed by unknown authority", "certificate has expired"),
        (
            "The engine does not trust the registry's certificate. Where the network inspects TLS, "
            "put its CA into /etc/docker/certs.d/{registry}/ca.crt"
        ),
    ),
    (
        ("no such host", "server misbehaving", "temporary failure in name resolution"),
        "The engine does not find {registry} in DNS: check the network and the name",
    ),
    (
        (
            *("timeout", "deadline exceeded", "connection refused", "unreachable"),
            *("connection reset", "no route to host", "eof", "broken pipe"),
        ),
        (
            "The engine does not reach {registry}: check the network, or its proxy (HTTPS_PROXY in "
            "the engine's own environment)"
        ),
    ),
)
"""Texts to search for, in lower case and in this order, and what to do."""


def explain_pull_error(image: str, words: str) -> str:
    """The engine's message, what to do, and two ways that need no registry.

    Args:
        image: As configured.
        words: The engine's message.
    """
    message = words.strip().rstrip(".")
    place = registry(image)
    remedies = (
        remedy for signs, remedy in _REMEDIES if any(sign in message.lower() for sign in signs)
    )
    remedy = next(remedies, f"The engine's log may say more: {COMMANDS.engine_log}")
    remedy = remedy.format(image=image, registry=place, usual=DEFAULT_IMAGE)
    return f"Image {image} cannot be pulled: {message}. {remedy}. {without_registry(image)}"


def without_registry(image: str) -> str:
    """What to do if the registry cannot be reached."""
    return (
        f"Without a registry: `docker save {image}` on a machine that has it and `docker load` "
        "here, or --launch process for a Jupyter without a container."
    )


def registry(image: str) -> str:
    """The registry's host; Docker Hub if the image names none (distribution/reference)."""
    host, separator, _ = image.partition("/")
    named = separator and ("." in host or ":" in host or host == "localhost")
    return host if named else "docker.io"
