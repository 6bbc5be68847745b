"""What every package of labgate may import; it imports none of them.

- ``tasks``            named background tasks whose errors are logged
- ``event_loop``       uvloop, or asyncio's own loop
- ``daemon_thread``    blocking work that does not delay the exit
- ``file_version``     whether a file has changed
- ``secret_files``     files that only labgate's user can read, written atomically
- ``owners``           whose a file is, and who this process is
- ``peer``             who is at the other end of a Unix socket
- ``instance_lock``    locks that only one process can hold
- ``output``           standard output and error that never block and never fail
- ``http_date``        the current time for the field Date
- ``log_format``       the form of a log line: text or JSON
- ``logs``             log lines on standard error
- ``last_problems``    the last warnings and errors
- ``log_throttle``     one log line for many events
- ``periodic``         checks at intervals, whatever goes wrong in one of them
- ``descriptors``      raises the limit of open file descriptors
- ``resident_memory``  the resident memory of a process
- ``memory``           returns memory to the system when few connections are open
- ``listen_fds``       sockets that the service manager opened
- ``socket_passing``   messages with open sockets
- ``process_end``      whether another process has ended
- ``process_exit``     ends this process while threads are at work
- ``ending_signals``   signals that come while a process is already ending
- ``sd_notify``        tells the service manager that labgate is ready, reloads or stops
- ``system_commands``  the commands that error messages name, by system
"""
