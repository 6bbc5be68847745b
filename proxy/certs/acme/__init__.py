"""Certificates by ACME (RFC 8555), obtained and renewed without anybody's help.

In the order of an attempt; nothing here is imported before there is something to do with
ACME, because the libraries below it cost a third of a second at start:

- ``renewer``    waits for the moment, again and again
- ``schedule``   which moment that is; no I/O
- ``attempt``    one attempt to obtain a certificate, under a lock, from key to files
- ``shelf``      the files of one certificate: what is kept, staged and in service
- ``memory``     what must be known after a restart: failures, and the CA's suggestion
- ``account``    our account with the CA, and its key
- ``network``    signed requests to the CA, nonces, time limits
- ``suggestion`` when the CA would like a certificate to be renewed (RFC 9773)
- ``order``      one order, from names to a chain
- ``wanted``     what is to be obtained, as the configuration says it
- ``problems``   what the CA's errors mean, and the mend; no I/O
"""
