"""From a request to its response.

In the order a request meets them:

- ``dispatcher``       the entrance: gives every request of every listener a handler
- ``services``         what the handlers of all requests use
- ``request_handler``  the whole path of one request, from its head to the end of its response
- ``recorded_request`` what a capture of it is told
- ``decision_cache``   decisions and serialised fields, if they came before
- ``router``           which upstream it goes to, and what holds for it there
- ``responses``        what labgate responds itself: refusals, redirects, errors
- ``request_log``      why a request is refused or fails, in the log
- ``outage``           one line in the log when Jupyter goes away, and one when it is back
- ``forwarder``        an allowed request up to its upstream, the response down
- ``stored_response``  a static file of the cache on its way to the client
- ``result``           the outcome of a forwarded request
- ``pool``             the connections to an upstream, kept open for the requests that follow
- ``pool_rules``       which of them a request takes, which are closed, and when to look again
- ``page_deadline``    fails requests for pages when Jupyter is silent
- ``activity``         when an upstream was last used
- ``tunnel``           raw bytes both ways after a 101
- ``tunnel_keepalive`` pings on a silent one
- ``frame_walker``     where the frames in it end
- ``open_requests``    how many requests and WebSockets are open, for a drain
"""
