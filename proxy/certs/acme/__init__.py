"""Certificates by ACME (RFC 8555), obtained and renewed without anybody's help.

In the order of an attempt; nothing here is imported before there is something to do with
ACME, because the libraries below it cost a third of a second at start:

- ``solvers``             proofs for a CA that names are ours, and the handshakes that show them
- ``certificate_request`` what is to be obtained, as the configuration says it
- ``maintain``            waits for the moment, again and again
- ``schedule``            which moment that is; no I/O
- ``issuer``              one attempt to obtain a certificate, under a lock, from key to files
- ``storage``             the files of one certificate: what is kept, staged and in service
- ``renewal_state``       what must be known after a restart: failures, and the CA's suggestion
- ``account``             our account with the CA, and its key
- ``client``              signed requests to the CA, nonces, time limits
- ``renewal_info``        when the CA would like a certificate to be renewed (RFC 9773)
- ``order``               one order, from names to a chain
- ``problems``            what the CA's errors mean, and the mend; no I/O
"""
