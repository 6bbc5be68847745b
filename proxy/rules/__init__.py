"""The policy, as pure functions: heads and the site's configuration in, values out.

Nothing here waits, opens or resolves anything (`tests/rules/test_purity.py` holds
that), so the whole policy can be read and tested without a socket.

In the order a request meets them:

- ``model``     the words everything else speaks: heads, fields, decisions, ``Site``
- ``message``   version, framing and expectation: what must hold first
- ``target``    the four forms of a request target, ``authority`` the syntax of Host
- ``decide``    what happens to a request: redirect, answer here, refuse, forward, tunnel
- ``redirect``  HTTP to HTTPS, other names to the canonical one
- ``origin``    the checks that run *before* anything is rewritten
- ``hop_by_hop``  which fields end at this hop
- ``request``   the head that goes up to Jupyter
- ``response``  the head that comes back to the client
"""
