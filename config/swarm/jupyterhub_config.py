"""JupyterHub on Docker Swarm: a service for each user's server, on any node."""

import os
import sys

from docker.types import Mount

c = get_config()  # noqa: F821  JupyterHub defines it

STACK = os.environ["STACK"]

c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"

# labgate runs beside the Hub, and not below it: a restart of the Hub interrupts nobody.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"
c.JupyterHub.cleanup_servers = False

c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
c.SwarmSpawner.image = os.environ["USER_IMAGE"]
c.SwarmSpawner.cmd = ["jupyterhub-singleuser"]
c.SwarmSpawner.name_template = STACK + "-user-{username}"
c.SwarmSpawner.network_name = f"{STACK}_users"
# One container each, by its own address: a virtual one would lead to the same.
c.SwarmSpawner.extra_endpoint_spec = {"mode": "dnsrr"}


def keep_work(spawner):
    """What a user saves in ``work`` outlives the server, in a volume of the node it ran on."""
    volume = Mount(target="/home/jovyan/work", source=spawner.object_name, type="volume")
    spawner.extra_container_spec = {"mounts": [volume]}


c.Spawner.pre_spawn_hook = keep_work

# Servers that nobody used for an hour end; the proxy tells the Hub when each was last used.
c.JupyterHub.services = [
    {"name": "culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler"]}
]
c.JupyterHub.load_roles = [
    {
        "name": "culler",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    }
]

# For a trial: one password for everybody. Choose an authenticator of your own.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["TRIAL_PASSWORD"]
c.Authenticator.allow_all = True

c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/state/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/srv/jupyterhub/state/cookie_secret"  # noqa: S105  a path
