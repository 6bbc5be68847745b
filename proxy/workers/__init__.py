"""``--workers N``: several processes that serve the same ports.

The process that was started becomes the supervisor. It owns Jupyter, the signals, the
certificates' renewal and the listening sockets, and serves no request itself.

- ``sockets``     a set of listening sockets for each worker
- ``channel``    what supervisor and worker tell each other: a line of JSON each
- ``worker_process``     one worker as the supervisor sees it
- ``supervisor``  starts the workers, starts them again, ends them
- ``shared_lockout``     failed logins, counted as if there were one process
- ``limits``      a worker's part of the limits that hold for all
- ``worker``      the worker itself: a fresh interpreter with an ``Application``
"""
