"""The probes: each asks, and hands the answer to its judgement in ``proxy.doctor.judge``.

- ``entry``    name, connection, certificate, ``/api``, redirect, Host, path, size of the head
- ``login``    the login, its cookie, the page ``/lab``, compression
- ``calls``    what a page does: calls with Origin and XSRF, a session, a terminal, a file
- ``sockets``  WebSockets and messages
- ``bodies``   uploads, downloads and buffers
- ``foreign``  the same with the Origin of another site
"""
