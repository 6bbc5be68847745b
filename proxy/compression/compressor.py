"""Starts to compress responses, within limits of how many at once.

Tested by tests/compression/test_compressed_response.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from proxy.compression.compressed_response import CompressedResponse
from proxy.compression.encoders import ENCODERS
from proxy.messages import Responder
from proxy.net.limits import ConcurrencyLimit
from proxy.rules.compression import compressed_head, varying
from proxy.rules.head import Field, RequestHead, ResponseHead

MAX_CONCURRENT_RESPONSES = 32
"""An encoder takes 1 to 4 MiB, and anybody may request static files."""
MAX_CONCURRENT_RESPONSES_PER_ADDRESS = 12
"""A client that reads nothing keeps its encoders for minutes."""
COMPRESSION_THREADS = 2


class Compressor:
    """Compresses the content of responses, for all requests together.

    Attributes:
        limit: Counts the responses that are being compressed.
    """

    def __init__(self) -> None:
        self.limit = ConcurrencyLimit(
            MAX_CONCURRENT_RESPONSES, MAX_CONCURRENT_RESPONSES_PER_ADDRESS
        )
        self._threads: ThreadPoolExecutor | None = None

    def begin(
        self,
        request: RequestHead,
        response: ResponseHead,
        fields: list[Field],
        *,
        base_path: str,
        responder: Responder,
        ended: Callable[[BaseException | None], None],
    ) -> tuple[list[Field], CompressedResponse | None]:
        """Compress a response if the rules say so.

        Args:
            request: The client's.
            response: As Jupyter sent it.
            fields: As they would be sent without compression.
            base_path: Jupyter's ``base_url``, with a slash at both ends.
            responder: The client's side.
            ended: Called once after the response is complete, or with what made it fail.

        Returns:
            The fields to send, and the responder to use in place of ``responder``; None if the
            content stays as it is, for example because there is no memory for an encoder.
        """
        coding, sent = compressed_head(request, response, fields, base_path)
        if coding is None or request.method == b"HEAD":
            return sent, None
        slot = self.limit.acquire(request.arrival.peer)
        if slot is None:
            return varying(fields), None
        try:
            encoder = ENCODERS[coding]()
        except Exception:  # the libraries have errors of their own for too little memory
            slot.release()
            return varying(fields), None
        # Content of known length arrives as fast as Jupyter can send it: no need to flush.
        compressed = CompressedResponse(
            responder,
            encoder,
            self._in_thread,
            ended,
            slot.release,
            prompt=b"content-length" not in response.names,
        )
        return sent, compressed

    def close(self) -> None:
        """Take no more work."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _in_thread(self, work: Callable[[], bytes]) -> asyncio.Future[bytes]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(COMPRESSION_THREADS, "compress")
        return asyncio.get_running_loop().run_in_executor(self._threads, work)
