"""The administrator's side of a running labgate: the inspector's page and its API.

It is served on a loopback port of its own and on a Unix socket, never on the public ports.

In the order a request meets them:

- ``server``        the listeners
- ``unix_socket``   a socket that only labgate's user can use
- ``socket_path``   where such sockets are
- ``app``           ``make_admin_app``: the routes
- ``protection``    who may ask: the address, the session, the page's own requests
- ``sessions``      a token in an address becomes a cookie
- ``json_body``     reads a JSON body
- ``exchanges``     the list, one exchange, archives in and out, on and off
- ``live``          new exchanges as they come, over a WebSocket
- ``replay``        sends a request again
- ``static``        the page: HTML, style and scripts
- ``client``        the commands' side of the socket
"""
