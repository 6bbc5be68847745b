"""How long a person waits for JupyterLab through each proxy: ``make bench ARGS=page``.

A real JupyterLab behind, a real Chromium in front, whose line is throttled by itself.

- ``peers``    the proxies, tuned for pages: compression of every type, HTTP/2
- ``figures``  what is measured, and the targets
- ``browser``  Chromium: a cold load, a second load, a notebook
- ``command``  the command line, and the report
- ``run``      every peer in turn, as often as it takes
"""
