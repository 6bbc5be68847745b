"""The policy, as pure functions: heads and the site's configuration in, values out.

Nothing here waits, opens or resolves anything (`tests/rules/test_purity.py` holds
that), so the whole policy can be read and tested without a socket.

In the order a request meets them:

- ``model``     the words everything else speaks: heads, fields, decisions, ``Site``
- ``syntax``    the octets of a head, before any parser may repair them
- ``message``   version, framing and expectation: what must hold first
- ``target``    the four forms of a request target, ``authority`` the syntax of Host
- ``networks``  sets of addresses: the allow-list, the trusted proxies
- ``proxy_protocol``  a connection's first octets, from a load balancer
- ``client``    the client's address as trusted proxies tell it, and the allow-list
- ``decide``    what happens to a request: redirect, answer here, refuse, forward, tunnel
- ``redirect``  HTTP to HTTPS, other names to the canonical one
- ``origin``    the checks that run *before* anything is rewritten
- ``hop_by_hop``  which fields end at this hop
- ``credentials``  what Authorization, Cookie and query bring: labgate's own, Jupyter's token
- ``token_check``     whether Jupyter took the token that a request brought
- ``request``   the head that goes up to Jupyter
- ``response_faults``    what makes a response head no answer
- ``negotiation``  as what an error is told: a page, JSON or a sentence
- ``response``  the head that comes back to the client
"""
