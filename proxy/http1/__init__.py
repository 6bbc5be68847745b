"""HTTP/1.1 on both sides (RFC 9112).

Towards the client, in the order a request meets them:

- ``server``                 makes a listener's connections, and ends them
- ``open_connections``       the connections of a server, and how they end together
- ``accepted_connection``    a client's connection below HTTP: writes, pauses, ends
- ``server_connection``      speaks HTTP/1.1 over it: bytes become requests, responses go back
- ``connection_states``      what the client sends and what labgate does, as two tables
- ``request_parser``         where one request ends and the next begins
- ``refused_heads``          counts and logs requests that are refused without one
- ``request_body``           a request's body as it arrives
- ``chunked_body``           one in chunks
- ``response_writer``        frames the responses; whether another request may follow
- ``upgraded_connection``    the client's connection after a 101
- ``misdirected_connection`` a client that speaks plain HTTP to a port for HTTPS
- ``timeouts``               what labgate waits for, and how long

Towards Jupyter:

- ``client_connection``      one connection: a request goes out, a response comes in
- ``request_writer``         a request as octets
- ``response_parser``        reads one response: llhttp's callbacks, and what llhttp lets through
"""
