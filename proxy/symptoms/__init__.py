"""What goes wrong between a browser and Jupyter, in words: shared by doctor and inspector.

Pure: nothing here does I/O. ``labgate doctor`` finds a symptom by trying, the inspector by
looking at what passes; both tell it, and its mend, from here.

- ``model``   the types, the table of symptoms, and ``mend``
- ``mends``   paste-ready lines by server: nginx, Caddy, Traefik, HAProxy, Apache, Jupyter, labgate
"""
