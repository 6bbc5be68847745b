"""The policy as pure functions: request heads and the site's configuration in, decisions out.

Nothing here does I/O (`tests/rules/test_purity.py` tests that), so the whole policy can be read
and tested without a socket.

In the order a request meets them:

- ``connection_names`` the names that a TLS connection is for
- ``head``             heads of requests and responses, and their fields
- ``site``             the part of the configuration that the rules read
- ``pass_through``     what holds where a JupyterHub checks itself
- ``decision``         the decisions about a request
- ``changes``          what the rules changed in a head
- ``proxy_protocol``   parses the PROXY protocol header of a connection
- ``syntax``           checks the octets of a head before a parser may repair them
- ``framing``          reads Content-Length and Transfer-Encoding: how the content ends
- ``message``          checks version, framing and expectation
- ``target``           the four forms of a request target
- ``authority``        the syntax of Host
- ``networks``         sets of IP addresses
- ``client``           the client's address, as trusted proxies report it, and the allow-list
- ``request_id``       the request's name in logs, as a trusted proxy gives it
- ``route_choice``     which of several sites a request is for
- ``decide``           decides: redirect, answer here, refuse, forward or tunnel
- ``redirect``         redirects to HTTPS and to the canonical domain
- ``origin``           checks Host, Origin, Referer and Sec-Fetch-Site
- ``hub_requests``     decides about requests in front of a JupyterHub
- ``prefixes``         the longest prefix of a path, for many routes
- ``stripped_prefix``  a public path that the upstream does not know of
- ``credentials``      finds labgate's own credentials and Jupyter's tokens
- ``request``          the head that is forwarded to Jupyter
- ``ranges``           which ranges Jupyter is not asked for
- ``hub_heads``        the heads that pass between clients and a JupyterHub
- ``hop_by_hop``       fields that are not forwarded
- ``response_faults``  faults of a response head that the parser accepts
- ``token_check``      whether Jupyter accepted the token of a request
- ``embedding``        Jupyter in frames of listed sites
- ``response``         the head that is sent to the client
- ``compression``      which responses are compressed, and what their heads say then
- ``caching``          which responses are kept, and what is answered from them
- ``negotiation``      the representation of labgate's own responses: page, JSON or text
- ``secret_names``     which fields and parameters hold secrets
- ``redaction``        removes secrets from what is shown or logged
"""
