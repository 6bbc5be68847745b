"""The judgements: an answer in, a finding or nothing out. Pure, as ``proxy.rules`` is.

- ``entry``    whether Jupyter is there: address, Host, path, size of the head, redirect
- ``labgate``  refusals of labgate's own, in front of which is another proxy
- ``login``    the login, Origin, XSRF and cookies
- ``sockets``  WebSockets: handshake, subprotocol, large messages, silence
- ``bodies``   uploads, downloads, buffers, compression
- ``foreign``  what a page of another site may do
- ``server``   which proxy answers
"""
