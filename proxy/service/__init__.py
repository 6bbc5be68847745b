"""labgate as a long-running service: its status, its commands, and its handover to a successor.

- ``instance``     the labgate of this process: its status, and what can be asked of it
- ``live_configuration`` the configuration in force, and its reload
- ``upstream_choice`` what follows from the configuration and the command together
- ``lifetime`` what one labgate takes over from a predecessor, and hands to a successor
- ``takeover`` the successor's side of it
- ``handover`` the predecessor's side of it
- ``hello`` their first messages, and the reasons to refuse a takeover
- ``container_end``  whether a container ends with this process, and a successor with it
- ``detached_process`` the successor that the predecessor starts
- ``status``       the facts of ``labgate status``; pure
- ``unit_name``    the systemd unit that this process belongs to
- ``state_folder`` where the commands look for a running labgate
- ``commands_api`` the calls of ``labgate status``, ``stop``, ``logs`` … on the admin socket

With a service manager:

- ``service_manager`` keeps it informed: the state in words, and that the event loop turns
- ``state_text``      the state in words; pure
- ``shipped_files``   the units and the configuration that labgate brings along
- ``unit_files``      makes those of this machine; pure
- ``installation``    writes them, and takes back what was written
- ``systemctl``       runs it
- ``program_writers`` who may change the program that root is to run
"""
