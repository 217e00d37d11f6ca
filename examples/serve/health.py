"""Exit with 0 if a server is ready: `python health.py URL`."""

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

try:
    # Without a proxy from the environment.
    with build_opener(ProxyHandler({})).open(sys.argv[1], timeout=2) as response:
        sys.exit(0 if response.status == 200 else 1)
except (URLError, OSError) as error:
    sys.exit(str(error))
