"""What every part of labgate may use and that uses none of them.

- ``secret_files``  files that only labgate reads, written whole or not at all
- ``daemon_thread`` blocking work that delays no shutdown
"""
