"""The Jupyters behind one labgate: the site's own, and those of ``[[routes]]``.

Each is as if it were alone: it has its own rules, login, connections, cache and counts.

- ``logins``         the access control of each route
- ``probes``         asks whether their Jupyters answer
- ``served_route``   one of them, with everything that belongs to it alone
- ``destinations``   the Jupyter to which a captured request is sent again
- ``served_routes``  all of them: which one a request is for, and how they change
"""
