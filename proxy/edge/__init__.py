"""The side towards the clients.

In the order a request meets them:

- ``listener``   ports, with errors that say the mend
- ``tls``        Mozilla's intermediate profile, one certificate per name
- ``protocol``   aiohttp's server connection as an exchange's reader and writer
- ``exchange``   the whole path of one request
- ``local``      the paths labgate answers itself
- ``carrier``    an allowed request up, its answer down
- ``answers``    what labgate says itself: refusals, redirects, the waiting page
"""
