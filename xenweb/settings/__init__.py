"""Django's settings, gathered from one module a subject."""

from xenweb.settings.base import *  # noqa: F403
from xenweb.settings.channels import *  # noqa: F403
from xenweb.settings.database import *  # noqa: F403
from xenweb.settings.frontend import *  # noqa: F403
from xenweb.settings.logging import *  # noqa: F403
from xenweb.settings.rq import *  # noqa: F403
from xenweb.settings.security import *  # noqa: F403
