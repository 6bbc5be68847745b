"""What every part of labgate may use and that uses none of them.

- ``tasks``          background tasks that are named, referenced and never fail unheard
- ``event_loop``     uvloop, or asyncio's own
- ``daemon_thread``  blocking work that delays no shutdown
- ``secret_files``   files that only labgate reads, written whole or not at all
- ``instance_lock``  what only one process may have
- ``output``         standard output and error, which neither fail nor wait
- ``logs``           log lines on standard error
- ``log_throttle``   one line for a flood of events
- ``memory``         descriptors enough, and memory only as needed
- ``system_commands``       what a system calls the commands that errors name
"""
