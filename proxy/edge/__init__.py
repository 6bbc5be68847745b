"""The side towards the clients.

In the order a request meets them:

- ``listener``   ports, with errors that say the mend
- ``accepting``  takes the connections of a port, and counts them
- ``arrival``  a connection before its first octet of HTTP: PROXY protocol, ClientHello
- ``tls``        Mozilla's intermediate profile, one certificate per name
- ``groups``     the profile's key exchange groups, of which Python can name but one
- ``client_hello``  its length, and the application protocols a client offers
- ``server``     a port's server: makes connections and ends them
- ``framing``    where one request ends and the next begins
- ``protocol``   a client's connection: octets become requests, answers go back
- ``content``    a request's content as it arrives
- ``waiting``    what a connection is waited for, and for how long
- ``limits``     how much a client may ask for, and who is in
- ``exchanges``  all that are under way, and who is told of their end
- ``exchange``   the whole path of one request, from its head to the end of its answer
- ``local``      the paths labgate answers itself
- ``carrier``    an allowed request up, its answer down
- ``answers``    what labgate says itself: refusals, redirects, errors
- ``page``       the pages among them, for people
"""
