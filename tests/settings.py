"""The settings of the test suite: a folder of its own, and no Redis."""

import atexit
import os
import shutil
import tempfile

DATA = tempfile.mkdtemp(prefix="xenweb-tests-")
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
os.environ["XENWEB_DATA"] = DATA
for name in ("DATABASE_URL", "REDIS_URL", "XENWEB_ORIGINS", "XENWEB_ALLOWED_HOSTS"):
    os.environ.pop(name, None)
if "XENWEB_TEST_DATABASE_URL" in os.environ:
    os.environ["DATABASE_URL"] = os.environ["XENWEB_TEST_DATABASE_URL"]

from xenweb.settings import *  # noqa: F403

# In a file, so that threads wait for each other as they do in the demo.
DATABASES["default"].setdefault("TEST", {})  # noqa: F405
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    DATABASES["default"]["TEST"]["NAME"] = f"{DATA}/test.sqlite3"  # noqa: F405
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# Tests of the server need no built bundle.
DJANGO_VITE = {"default": {"dev_mode": True}}
