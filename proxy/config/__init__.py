"""The configuration.

- ``sources``               what file and environment say, unchecked
- ``load``                  reads file, environment and flags into one ``Settings``
- ``settings``              the whole configuration, and values that follow from several keys
- ``certificate_settings``  the sections ``tls`` and ``acme``: keys with their defaults
- ``route_settings``        each of ``[[routes]]``
- ``route_conflicts``       what two routes cannot have at once
- ``routes``                what holds for the requests that go to one Jupyter
- ``jupyter_settings``      the section ``jupyter``
- ``delivery_settings``     the sections ``compression`` and ``cache``
- ``log_settings``          the section ``log``
- ``sections``              all other sections
- ``section``               what every section is
- ``types``                 parses the values of keys: lists, ports, times, networks
- ``addresses``             parses hosts, domains and sites
- ``password_hash``         checks and makes the password hashes that Jupyter accepts
- ``problems``              describes an invalid value in a sentence
- ``effects``               which keys have no effect beside others
- ``valid_part``            what is valid of a configuration, and all that is wrong with the rest
- ``reloading``             which keys a reload changes, and which wait for a restart
- ``toml_value``            writes a value as TOML
- ``spelling``              suggestions for misspelled words
"""
