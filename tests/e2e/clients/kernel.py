"""jupyter-kernel-client, with a token in Authorization: ``kernel.py URL TOKEN``."""

import sys

from jupyter_kernel_client import JupyterKernelClient  # type: ignore[import-not-found]

with JupyterKernelClient(server_url=sys.argv[1], token=sys.argv[2]) as kernel:
    print(kernel.execute("6 * 7")["outputs"][0]["data"]["text/plain"])
