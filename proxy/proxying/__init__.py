"""From a request to its response.

In the order a request meets them:

- ``dispatcher``       every request of every listener; who is under way, who hears of the end
- ``request_handler``  the whole path of one request, from its head to the end of its response
- ``decision_cache``   decisions and serialised heads of fields that came before
- ``router``           which upstream it goes to, and what holds for it there
- ``responses``        what labgate says itself: refusals, redirects, errors
- ``forwarder``        an allowed request up to Jupyter, its response down
- ``pool``             the connections to an upstream, kept open for the requests that follow
- ``pool_rules``       which of them a request takes, which are closed, and when to look again
- ``outage``           one line in the log when Jupyter goes away, and one when it is back
- ``page_deadline``    which waiting requests get the waiting page
- ``tunnel``           raw bytes both ways after a 101
"""
