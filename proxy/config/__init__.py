"""The configuration.

- ``load``      file, environment and flags become one ``Settings``
- ``settings``  every section and key, with its default
- ``types``     what a key can hold: lists, ports, times, networks
- ``problems``  what is wrong with a value, in a sentence
- ``effects``   which keys have no effect beside which others
- ``spelling``  did you mean …?
- ``password_hash``  the password hashes that Jupyter takes
"""
