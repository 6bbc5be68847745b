"""HTTP/1.1 on both sides (RFC 9112).

Towards the client, in the order a request meets them:

- ``server``             makes a listener's connections, and ends them
- ``server_connection``  one client's connection: octets become requests, answers go back
- ``connection_states``  what the client sends and what labgate does, as two tables
- ``request_parser``     where one request ends and the next begins
- ``request_body``       a request's body as it arrives
- ``response_writer``    frames the responses; whether another request may follow
- ``timeouts``           what a connection is waited for, and for how long

Towards Jupyter:

- ``client_connection``  one connection: a request goes out, an answer comes in
- ``response_parser``    reads one answer: llhttp's callbacks, and what llhttp lets through
"""
