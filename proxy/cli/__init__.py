"""What people type.

- ``command``    from the command line to an exit code
- ``parser``     argparse with suggestions, and usage in one line
- ``arguments``  the command line as flags of the configuration
- ``run``        ``up`` and ``serve``: from start to a clean stop
- ``ready_lines``     the lines printed once everything is ready
- ``cert``       ``labgate cert``
- ``password``   ``labgate password``
"""
