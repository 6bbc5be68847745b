"""Certificates by ACME (RFC 8555), obtained and renewed without an administrator.

In the order of an issuance:

- ``certificate_request`` which certificate to obtain, and how
- ``maintain``            obtains and renews at the right time, while labgate serves
- ``schedule``            decides that time; no I/O
- ``issuer``              issues one certificate, from a private key to files in service
- ``storage``             the files of one certificate: renewal state, pending order, pair
- ``renewal_state``       what outlives a restart: failures, and the CA's renewal window
- ``account``             the account with the CA, and its key
- ``client``              the CA's HTTP client: signed requests, nonces, timeouts
- ``order``               places orders and follows them to the chain
- ``extensions``          ACME messages that certbot's library lacks
- ``solvers``             publishes proofs, and answers TLS-ALPN-01 handshakes with them
- ``renewal_info``        when the CA suggests a renewal (RFC 9773)
- ``problems``            what the CA's errors mean, and the remedy; no I/O

Importing the libraries ``acme``, ``josepy`` and ``requests`` takes a third of a second. A labgate
that needs no ACME imports only ``certificate_request`` and ``solvers``, which do without them.
"""
