"""What goes wrong between a browser and Jupyter, in words: shared by doctor and inspector.

Pure: nothing here does I/O. ``labgate doctor`` finds a symptom by trying, the inspector by
looking at what passes; both tell it, and its mend, from here.

- ``symptom``      what a symptom is
- ``table``        every symptom, with Jupyter's check or the proxy's setting behind it
- ``addresses``    those of an address behind which Jupyter does not answer
- ``mends``        lines to paste: nginx, Caddy, Traefik, HAProxy, Apache, Jupyter, labgate
- ``model``        the table and ``mend`` in one place
- ``evidence``     what passed of one exchange, read as Jupyter reads it
- ``explanation``  a symptom with a sentence about this case
- ``in_front``     what a proxy in front of labgate took away or changed
- ``between``      what a proxy between labgate and Jupyter took away or changed
- ``refused``      why labgate refused
- ``forbidden``    which of Jupyter's checks answered 403 or 404
- ``login_form``   a login without ``_xsrf``
- ``of_a_hub``     the same of a JupyterHub and its users' servers
- ``explain``      why a request got an error, whoever answered it
"""
