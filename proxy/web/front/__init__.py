"""The whole proxy as an aiohttp handler: a front of its own beside ``http1`` and ``http2``.

aiohttp parses the requests, keeps the connections and calls the handler; the rules judge once more
what it read, and ``http1.response_writer`` frames the responses, so that clients get the same
octets as from ``http1``. All fronts speak ``proxy.messages`` with the proxying.

In the order a request meets them:

- ``server``             aiohttp's server behind labgate's listener (``listen.server``)
- ``server_connection``  one client's connection to it
- ``handler``            the handler, also in anybody else's application (``proxy.mount``)
- ``head_reader``        aiohttp's view of a head, judged by the rules
- ``content_receiver``   the content, as it arrives
- ``served_request``     one request, and the way its response goes out
- ``client_tunnel``      the connection after an upgrade, which aiohttp has let go of
"""
