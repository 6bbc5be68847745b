"""What happened to every header, for people.

- ``secrets``    which names speak of a secret
- ``redaction``  secrets out, before anything is shown or logged
- ``headers``    the ``--show-headers`` text of one exchange
"""
