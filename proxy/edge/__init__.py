"""The side towards the clients.

In the order a request meets them:

- ``listener``   ports, with errors that say the mend
- ``announced``  a port whose trusted senders announce their clients (PROXY protocol)
- ``tls``        Mozilla's intermediate profile, one certificate per name
- ``client_hello``  the application protocols a client offers
- ``server``     a listener's server: makes connections, turns requests into exchanges
- ``protocol``   aiohttp's server connection as an exchange's reader and writer
- ``intake``     what arrives, as requests for aiohttp: one at a time, each judged first
- ``framing``    where one request ends and the next begins, before aiohttp's parser
- ``content``    a request's content as it arrives
- ``limits``     how much a client may ask for, and who is in
- ``exchange``   the whole path of one request
- ``local``      the paths labgate answers itself
- ``carrier``    an allowed request up, its answer down
- ``answers``    what labgate says itself: refusals, redirects, the waiting page
- ``answered``   what aiohttp is told of an answer
"""
