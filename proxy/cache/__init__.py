"""Static files of Jupyter, kept in memory and on disk; ``rules.caching`` says which.

Only what labgate itself has fetched without credentials is kept, so nobody gets from here what
Jupyter does not give to everybody. A file is answered from here only while it is known to be
Jupyter's: see ``static_cache``. Each worker has its own memory, since a look-up in it must cost
nothing; the disk is shared, so that a file is compressed once.

- ``static_cache``  finds files for requests; fetches and checks them in the background
- ``file_checks``   asks Jupyter whether they are still its files
- ``candidates``    the files that will be fetched, and when
- ``anonymous_fetch``  requests of labgate's own, without credentials
- ``best_coding``   compresses a file once, as small as can be, without disturbing anybody
- ``gzip_copies``   the files in gzip, too, for clients that accept nothing smaller
- ``preloads``      which scripts a page will ask for, learned from earlier loads
- ``stored_file``   a file as it is kept, and the heads of its responses
- ``memory_store``  the files in memory, as many as there is room for
- ``disk_store``    the same across restarts
- ``disk_access``   the disk for the event loop
"""
