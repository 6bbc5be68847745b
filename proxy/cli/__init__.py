"""The command line.

- ``command``        reads the command line and the configuration, and runs the command
- ``parser``         argparse with suggestions, and usage in one line
- ``arguments``      the commands
- ``serving_options``    the options of ``labgate up`` and ``serve``
- ``cert_options``       those of ``labgate cert``
- ``service_options``    those of ``labgate status`` and the like
- ``installation_options``  those of ``labgate install-service`` and ``uninstall-service``
- ``debugging_options``  those of ``labgate inspect`` and ``doctor``
- ``run``            ``labgate up`` and ``labgate serve``
- ``signals``        what signals do to them
- ``reload``         ``labgate reload``
- ``side_listeners``  metrics and the admin socket, beside the public ports
- ``ready_lines``    the lines that are printed when everything is ready
- ``administration``  what a running labgate serves on its admin socket
- ``running``        ``labgate status``, ``logs``, ``open``, ``unlock`` and ``stop``
- ``status_lines``   what ``labgate status`` shows
- ``inspect``        ``labgate inspect``
- ``cert``           ``labgate cert show``
- ``obtain``         ``labgate cert obtain`` and ``renew``
- ``password``       ``labgate password``
- ``doctor``         ``labgate doctor``
- ``doctor_address``  what it examines where no address was given
- ``doctor_report``  what it shows
- ``install_service``  ``labgate install-service`` and ``uninstall-service``
- ``confirm``        asks a yes-or-no question at the terminal
- ``ask_secret``     asks for a secret at the terminal
- ``typed_line``     reads what is typed, without blocking the event loop
"""
