# The Hub of this stack: JupyterHub, the spawner for Swarm and what stops idle servers.
#
#   docker build -t hub-of-the-stack -f hub.Dockerfile .

ARG JUPYTERHUB_IMAGE=quay.io/jupyterhub/jupyterhub:5
FROM ${JUPYTERHUB_IMAGE}
RUN python3 -m pip install --no-cache-dir dockerspawner jupyterhub-idle-culler
