"""JupyterHub on Docker Swarm: a service for each user's server, on any node."""

import os

c = get_config()  # noqa: F821  JupyterHub defines it

c.JupyterHub.hub_bind_url = "http://0.0.0.0:8081"
c.JupyterHub.hub_connect_url = "http://hub:8081"

# labgate runs beside the Hub, and not below it: a restart of the Hub interrupts nobody.
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://proxy:8001"

c.JupyterHub.spawner_class = "dockerspawner.SwarmSpawner"
c.SwarmSpawner.image = os.environ["USER_IMAGE"]
c.SwarmSpawner.network_name = os.environ["USER_NETWORK"]
c.SwarmSpawner.remove = True

# For a trial: one password for everybody. Choose an authenticator of your own.
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ["TRIAL_PASSWORD"]
c.Authenticator.allow_all = True

c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/state/jupyterhub.sqlite"
c.JupyterHub.cookie_secret_file = "/srv/jupyterhub/state/cookie_secret"  # noqa: S105  a path
