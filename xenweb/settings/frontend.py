"""Built bundles and hand-made assets."""

import contextlib
import re
from typing import Any

from xenweb.settings.environment import ENVIRONMENT, ROOT

BUNDLE = ROOT / "build" / "frontend"

STATIC_URL = "/static/"
STATIC_ROOT = ROOT / "build" / "static"
with contextlib.suppress(OSError):
    # WhiteNoise warns of a folder that is not there, although it finds all files without it.
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS: list[Any] = [
    folder
    for folder, path in ((("bundle", str(BUNDLE)), BUNDLE), (str(ROOT / "static"), ROOT / "static"))
    if path.is_dir()
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = ENVIRONMENT.debug


def _named_by_content(_path: str, url: str) -> bool:
    return re.match(r"/static/bundle/assets/.+-[\w-]{8}\.\w+$", url) is not None


WHITENOISE_IMMUTABLE_FILE_TEST = _named_by_content

DJANGO_VITE = {
    "default": {
        "dev_mode": ENVIRONMENT.frontend_dev_server,
        "manifest_path": BUNDLE / ".vite" / "manifest.json",
        "static_url_prefix": "bundle",
    },
}
