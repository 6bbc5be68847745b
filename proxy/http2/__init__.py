"""HTTP/2 towards clients (RFC 9113), beside HTTP/1.1 on the same port: ``listen.http2``.

In the order a request meets them:

- ``server``                 makes a port's connections
- ``negotiated_connection``  one until its TLS handshake has chosen the protocol
- ``server_connection``      a client's connection: bytes in, frames out, and how it ends
- ``settings``               the settings that each client gets at the start, and h2's set-up
- ``field_encoder``          response fields in HPACK
- ``frame_reader``           the headers of the frames that arrive
- ``flood_limits``           limits frames that cost labgate more than the client
- ``request_receiver``       frames become streams, requests and content
- ``request_head``           a decoded header list becomes the head that HTTP/1.1 would have
- ``stream``                 one request and its response; the states of RFC 9113 section 5.1
- ``request_body``           a request's body as it arrives, and the windows opened for it
- ``wide_windows``           which upload's client may send more before it waits
- ``responder``              sends the response over its stream
- ``priorities``             which response is sent next (RFC 9218)
- ``response_sender``        the frames that windows, priorities and sizes allow

Jupyter is always spoken to in HTTP/1.1. WebSockets stay there on this side, too: RFC 8441 is not
announced, so browsers open connections of their own for them.

The frames, HPACK, the windows and the states of streams are ``h2``'s, which does no I/O. ``jh2``, a
fork of it with HPACK in Rust, took 47 microseconds of CPU for a request of 16 fields and a response
of 1 KiB where h2 4.4 took 79, both without the validation that ``request_head`` does instead (72
and 112 with it). But of 134,000 mutated beginnings of connections some made its decoder panic (an
index out of bounds, raised as a BaseException), and it takes what h2 refuses: ``+1`` and ``1_0``
as Content-Length, a table size update in the middle of a header block, an incomplete Huffman code.
It has no types, either. ``zttp`` is faster by far, and calls itself experimental.

A small request (9 fields, a response of 1 KiB) took labgate 132 microseconds of CPU with ten
streams at once and 200 to 225 with one, where nginx's HTTP/2 took 62 to 75 configured as usual and
15 to 20 tuned; in HTTP/1.1 labgate took 52 to 73 of them (``h2load -n 4000 -c 4``, in one run, on
two cores that had other work).
"""
