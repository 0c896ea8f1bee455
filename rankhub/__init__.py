"""rankhub trains networks on orders over images.

The top of the package is small on purpose: it is all that the module behind a
plugin's entry point needs, and it imports neither torch nor pluggy's manager.
"""

from rankhub.catalog.markers import hookimpl
from rankhub.interfaces.component import API_VERSION, Component
from rankhub.interfaces.errors import UserError

__version__ = "0.1.0"

__all__ = ["API_VERSION", "Component", "UserError", "__version__", "hookimpl"]
