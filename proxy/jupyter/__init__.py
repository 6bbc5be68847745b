"""The Jupyter that ``labgate up`` launches.

In the order a start meets them:

- ``launcher``   what is asked of a way to run Jupyter
- ``choose``     container, process or none
- ``token``      the login token, made once
- ``port``       which port on the loopback interface
- ``engine``     reaching the Docker Engine, and what its refusals mean
- ``home``       where in a container the work is, and what has to be mounted to keep it
- ``recipe``     the container the settings ask for
- ``plan``       what to do about a container that is there already; decides, waits for nothing
- ``foreign``    one of that name that is somebody else's
- ``activity``   whether somebody's work runs in it
- ``lost``       what a container takes with it that is not kept
- ``pull``       fetching an image, and showing how far it got
- ``unpulled``   why an image could not be fetched, and the mend
- ``folder``     whether Jupyter's user can write the folders of this machine
- ``migrate``    taking the home out of a container that is replaced
- ``archive``    the files of a container, as streams
- ``tree``       copying and comparing such streams
- ``replacement``  making a container, also in the place of another
- ``container``  Jupyter as a container
- ``process``    Jupyter as a process of this user
- ``child``      what such a process runs before it becomes Jupyter
- ``family``     the processes below one that has to be killed
- ``readiness``  whether it answers yet
- ``events``     what the engine tells of a container's end
- ``exit_cause`` why Jupyter ended; decides, waits for nothing
- ``supervision`` starts it again
"""
