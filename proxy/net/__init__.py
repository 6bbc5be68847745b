"""Sockets: the layer below HTTP.

In the order a connection meets them:

- ``given_ports``         which sockets of the service manager serve which port
- ``ports``               bound sockets, with errors that say what to do
- ``port_holder``         whether a labgate has a port that is taken
- ``listener``            accepts a port's connections and counts each from its first moment on
- ``peeked_socket``       peeks at a socket before a transport takes it over
- ``pending_connection``  from an accepted socket to HTTP: PROXY protocol, ClientHello, TLS
- ``limits``              how many connections and requests there may be, in all and per client
- ``upstream_address``    where Jupyter is
- ``connect_error``       why there is no connection to it, and what to do
- ``upstream_tls``        TLS to it: trusted CAs and labgate's client certificate
- ``spoken_tls``          whether TLS is spoken at a port, with whatever certificate
- ``send_buffer``         limits the unsent bytes that the kernel buffers
- ``upstream_watch``      an idle connection that ends when Jupyter does
- ``keepalive``           TCP keep-alive: detects a peer that vanished
- ``reset``               closes with a reset, so that the other end sees a truncation
"""
