"""``--workers N``: several processes that serve the same ports.

The first process becomes the supervisor. It owns Jupyter, the signals, the renewal of
certificates and the listening sockets, and serves no requests itself.

- ``sockets``              makes a set of listening sockets for each worker
- ``supervisor``           what all workers share: reloads, logins, certificates
- ``worker_group``         starts, restarts and stops the workers; a hub's, too
- ``worker_check``         kills workers that hang
- ``vacancies``            has the other workers accept while one is away
- ``restarts``             starts a worker again when it ends
- ``worker_process``       one worker as the supervisor sees it
- ``channel``              the messages between supervisor and worker
- ``worker_program``       what every worker does first and last
- ``supervisor_messages``  carries out what the supervisor tells a worker, and ends it
- ``worker``               the worker itself: a new interpreter with an ``Application``
- ``limits``               divides limits between the workers
- ``captures``             what the workers capture for the inspector, shown by the supervisor
- ``replays``              has a worker send the inspector's requests
- ``process_report``       the report of one process
- ``shared_access``        what all workers share about logins
- ``shared_lockout``       counts failed logins as if there were one process
- ``shared_logout``        shares revoked sessions
"""
