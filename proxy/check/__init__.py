"""What would keep labgate from serving, found before it starts: ``labgate check``.

Nothing is changed, made or bound for longer than a moment; a labgate that runs is not disturbed.

- ``verdict``       one thing that was looked at
- ``everything``    all of them, one after the other
- ``running``       the labgate that runs already
- ``certificates``  files, dates, names
- ``ports``         whether they can be opened, or who has them
- ``socket_unit``   those that systemd holds for labgate
- ``files``         the state folder, the htpasswd file, the webroot
- ``names``         whether DNS knows the public names
- ``jupyter``       the Docker Engine, the local process or the upstream
"""
