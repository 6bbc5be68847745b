"""The Jupyter that ``labgate up`` launches.

In the order a start meets them:

- ``launcher``            the interface of a way to run Jupyter
- ``choose_launcher``     container, process or none
- ``login_token``         the login token, generated once
- ``port``                the port on the loopback interface

A container:

- ``container``           launches and stops it
- ``container_watch``     waits until it has exited for good
- ``engine``              connects to the Docker Engine and explains its errors
- ``mounts``              the home folder of an image and the volumes that preserve it
- ``default_volume``      the volume for the work folder; pure decisions
- ``container_spec``      the container that the settings describe
- ``container_action``    create, adopt, start or replace; pure decisions
- ``foreign_container``   a container of the same name that labgate did not create
- ``activity``            whether kernels or terminals are in use
- ``unsaved_changes``     files that are lost when a container is removed; pure decisions
- ``container_log``       its log, line by line
- ``container_creation``  creates a container, or replaces one
- ``temporary_container`` runs one command, to ask the engine something
- ``replacement_check``   finds what the engine refuses about a replacement
- ``pull``                pulls an image and shows the progress
- ``pull_errors``         why an image could not be pulled, and what to do
- ``folder_permissions``  whether Jupyter's user can write to the mounted folders
- ``migration``           copies the home folder out of a container before it is replaced
- ``container_files``     reads and writes the files of a container as tar streams
- ``tar_copy``            copies and compares tar streams

A process:

- ``process``             launches, watches and stops it
- ``process_command``     the command, its environment, the file with the login
- ``port_watch``          notices that it listens no more, though it has not exited
- ``process_log``         its last lines, and new ones for followers
- ``exec_wrapper``        ties the process to labgate, then executes Jupyter
- ``leftover_process``    ends one that a killed labgate has left behind
- ``process_tree``        finds and kills the descendants of a process

Afterwards:

- ``served_jupyter``      the state of Jupyter, as labgate knows it
- ``readiness``           waits until Jupyter answers
- ``supervision``         restarts Jupyter when it exits
- ``engine_events``       the engine's events about one container
- ``pauses``              says when a container is paused
- ``exit_cause``          why Jupyter exited; pure decisions
"""
