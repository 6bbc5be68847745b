"""What labgate answers itself, as ``aiohttp.web.Application``; and the pages for people.

To the proxying the web application is one more upstream, in the same process: a request for one of
its paths (``rules.Internal``) is forwarded like any other, over a socketpair.

In the order a request meets them:

- ``in_process``    the upstream that is this process: connects by socketpair
- ``app``           ``make_app``: the routes of the public ports
- ``security``      the middleware that sets every answer's security fields
- ``errors``        the middleware that answers with an error, and how it is represented
- ``request_head``  a request as the rules know it
- ``health``        whether labgate serves, and whether Jupyter answers
- ``challenges``    the certificate authority's proof (RFC 8555 section 8.3)
- ``logout``        the page that asks, and the end of the session
- ``metrics``       ``make_metrics_app``: certificates and traffic for Prometheus, on its own port
- ``error_content`` an error as a page, JSON or one sentence
- ``error_words``   what the error pages say
- ``page``          the pages for people, each whole in one response, from

  - ``templates``   their HTML: ``page.html`` around all of them
  - ``static``      their style sheet and script, which stand in the page

- ``front``         a handler for aiohttp's server, by which it serves the whole proxy
"""
