"""Each way a pull can fail has its own remedy, and all of them the two that need no registry."""

from __future__ import annotations

import pytest

from proxy.config.jupyter_settings import DEFAULT_IMAGE
from proxy.jupyter.pull_errors import explain_pull_error, registry

IMAGE = "quay.io/jupyter/base-notebook:1"

# The engine's own words, of releases 20.10 to 28.
WORDS = [
    (
        f"manifest for {IMAGE} not found: manifest unknown: manifest unknown",
        "There is no such tag: check the name and tag in jupyter.image.",
    ),
    (
        (
            "pull access denied for jupyter/x, repository does not exist or may require 'docker "
            "login': denied: requested access to the resource is denied"
        ),
        "Check the name in jupyter.image. If the repository is a private one: `docker",
    ),
    (
        "unauthorized: access to the requested resource is not authorized",
        "The registry wants a login, and labgate has none: `docker login quay.io`, then",
    ),
    (
        "toomanyrequests: You have reached your pull rate limit.",
        "The registry lets this address pull no more for now: wait,",
    ),
    (
        "failed to register layer: write /usr/lib/x.so: no space left on device",
        "The disk is full where the engine keeps its images: `docker system df`",
    ),
    (
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "There is none for this machine's processor under that tag",
    ),
    (
        'Get "https://quay.io/v2/": x509: certificate signed by unknown authority',
        "put its CA into /etc/docker/certs.d/quay.io/ca.crt.",
    ),
    (
        'Get "https://quay.io/v2/": dial tcp: lookup quay.io on 127.0.0.53:53: no such host',
        "The engine does not find quay.io in DNS",
    ),
    (
        (
            'Get "https://quay.io/v2/": net/http: request canceled while waiting for connection '
            "(Client.Timeout exceeded while awaiting headers)"
        ),
        "The engine does not reach quay.io: check the network, or its proxy",
    ),
    (
        'Get "https://quay.io/v2/": dial tcp 192.0.2.1:443: connect: network is unreachable',
        "The engine does not reach quay.io",
    ),
    (
        "invalid reference format: repository name must be lowercase",
        f"for example {DEFAULT_IMAGE}.",
    ),
    (
        "received unexpected HTTP status: 500 Internal Server Error",
        "The engine's log may say more: ",
    ),
]


@pytest.mark.parametrize(("words", "remedy"), WORDS)
def test_the_remedy(words: str, remedy: str) -> None:
    message = explain_pull_error(IMAGE, words)
    assert message.startswith(f"Image {IMAGE} cannot be pulled: {words.rstrip('.')}. ")
    assert remedy in message
    assert message.endswith(
        f"Without a registry: `docker save {IMAGE}` on a machine that has it and `docker load` "
        "here, or --launch process for a Jupyter without a container."
    )


@pytest.mark.parametrize(
    ("image", "host"),
    [
        (IMAGE, "quay.io"),
        ("jupyter/base-notebook", "docker.io"),
        ("alpine:3", "docker.io"),
        ("localhost/x", "localhost"),
        ("127.0.0.1:5000/x", "127.0.0.1:5000"),
    ],
)
def test_where_it_comes_from(image: str, host: str) -> None:
    assert registry(image) == host
