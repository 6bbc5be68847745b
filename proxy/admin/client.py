"""Commands' side of the admin socket.

Tested by tests/admin/test_server.py.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp

from proxy.admin.protection import BASE
from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import peer_pid
from proxy.errors import StartError
from proxy.runtime.system_commands import COMMANDS, how_to_start

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
"""labgate listens a while before it answers: aiohttp has to be loaded first."""
_WITHOUT_END = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)


class NotRunning(StartError):  # noqa: N818  reads as what is the case
    """No labgate with this state folder runs."""


class AdminClient:
    """Speaks with one running labgate."""

    def __init__(self, session: aiohttp.ClientSession, path: Path) -> None:
        self._session = session
        self._path = path

    @classmethod
    @asynccontextmanager
    async def connect(cls, state_folder: Path) -> AsyncIterator[Self]:
        """Connect to the labgate with this state folder.

        Raises:
            NotRunning: None runs.
            StartError: Its socket is another user's.
        """
        path = _checked_path(state_folder)
        async with aiohttp.ClientSession(
            "http://labgate",
            connector=aiohttp.UnixConnector(str(path)),
        ) as session:
            yield cls(session, path)

    async def get(self, path: str, *, seconds: float = ANSWER_SECONDS, **query: str) -> Any:
        """``GET`` a part of the API; the answer has to come within ``seconds``.

        Raises:
            NotRunning: Nothing listens at its socket.
            StartError: labgate refused it, has stopped, or does not answer.
        """
        return await self._ask("GET", path, seconds, params=query)

    async def post(self, path: str, body: Any = None, *, seconds: float = ANSWER_SECONDS) -> Any:
        """``POST`` to a part of the API; the answer has to come within ``seconds``.

        Raises:
            NotRunning: Nothing listens at its socket.
            StartError: labgate refused it, has stopped, or does not answer.
        """
        return await self._ask("POST", path, seconds, json=body if body is not None else {})

    async def lines(self, path: str, **query: str) -> AsyncIterator[str]:
        """The lines of an answer as they come.

        Raises:
            StartError: labgate refused it, or does not run any more.
        """
        try:
            async with self._session.get(
                f"{BASE}api/{path}", params=query, timeout=_WITHOUT_END
            ) as response:
                if response.status >= 400:
                    raise StartError(_sentence(await response.text()))
                async for line in response.content:
                    yield line.decode("utf-8", "replace").rstrip("\n")
        except aiohttp.ClientPayloadError:
            return  # labgate has stopped
        except aiohttp.ClientError as error:
            raise _unreachable(self._path, error) from None

    async def wait_until_stopped(self) -> None:
        """Wait until nobody listens at the socket any more."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path)
            except OSError:
                return
            with closing(writer), suppress(OSError):
                await reader.read()

    async def live(self, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Batches of summaries of new and changed exchanges, until labgate stops.

        With ``?capture=…`` the capture stays on until the iterator is closed.

        Raises:
            StartError: labgate refused it, or does not run any more.
        """
        try:
            async with self._session.ws_connect(
                f"{BASE}api/live", params=query, max_msg_size=0
            ) as channel:
                async for message in channel:
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return
                    yield json.loads(message.data)
        except aiohttp.ClientError as error:
            raise _unreachable(self._path, error) from None

    async def _ask(self, method: str, path: str, seconds: float, **options: Any) -> Any:
        limit = aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS)
        address = f"{BASE}api/{path}"
        try:
            async with self._session.request(method, address, timeout=limit, **options) as response:
                text = await response.text()
                if response.status >= 400:
                    raise StartError(_sentence(text))
                return json.loads(text)
        except TimeoutError:
            raise _silent(self._path, seconds) from None
        except aiohttp.ClientError as error:
            raise _unreachable(self._path, error) from None


def _checked_path(state_folder: Path) -> Path:
    """The path of the socket; one that is not there, or somebody else's, is refused.

    Raises:
        NotRunning: There is none.
        StartError: With what to do.
    """
    path = state_folder
    try:
        path = socket_path(state_folder)
        owners = {path.stat().st_uid, path.parent.stat().st_uid}
        folder_owner = state_folder.stat().st_uid
    except PermissionError:
        raise StartError(
            f"{path} may not be used by this user; use sudo, or the user that labgate runs as."
        ) from None
    except OSError:
        raise NotRunning(
            f"No labgate with the state folder {state_folder} runs. {how_to_start()}, or name "
            "another one's folder with LABGATE_STATE__FOLDER or --config."
        ) from None
    if strangers := owners - {0, os.getuid(), folder_owner}:
        uid = min(strangers)
        raise StartError(f"{path} is the socket of another user (uid {uid}); it is not used.")
    return path


def _unreachable(path: Path, error: aiohttp.ClientError) -> StartError:
    """Why labgate does not answer."""
    if isinstance(error, aiohttp.ClientConnectorError):
        if error.os_error.errno in (errno.EACCES, errno.EPERM):
            return StartError(
                f"{path} is another user's; use sudo, or the user that labgate runs as."
            )
        # A labgate that was killed leaves its socket behind.
        return NotRunning(
            f"No labgate runs: the one that made {path} was killed. Start it again with "
            f"{COMMANDS.start_labgate}."
        )
    return StartError(f"The running labgate does not answer any more: {error}.")


def _silent(path: Path, seconds: float) -> StartError:
    """The error for a labgate that takes connections and does not answer."""
    pid = None
    with suppress(OSError), socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(CONNECT_SECONDS)
        asking.connect(str(path))
        pid = peer_pid(asking)
    who = f"Process {pid} listens" if pid else "A labgate listens"
    end = f" `kill {pid}`, or if need be `kill -9 {pid}`, ends it." if pid else ""
    return StartError(
        f"{who} at {path} and does not answer within {seconds:g} s: it hangs, or was stopped. "
        f"Its log may say more.{end}"
    )


def _sentence(text: str) -> str:
    try:
        sentence = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        sentence = text
    sentence = str(sentence).strip()
    return sentence if sentence.endswith(".") else f"{sentence}."
