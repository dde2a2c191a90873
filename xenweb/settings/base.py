"""What holds the house together: apps, middleware, templates, languages."""

import xenweb
from xenweb.settings.environment import ENVIRONMENT, ROOT

DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)

XENWEB_VERSION = xenweb.__version__
XENWEB_DATA = ENVIRONMENT.data
XENWEB_CREDENTIAL_KEYS = list(ENVIRONMENT.credential_keys)
XENWEB_REDIS_URL = ENVIRONMENT.redis_url
XENWEB_ORIGINS = list(ENVIRONMENT.origins)
XENWEB_SIMULATED = ENVIRONMENT.simulated
XENWEB_MOVES = ENVIRONMENT.moves
XENWEB_GUARDS_KEPT = ENVIRONMENT.guards_kept
XENWEB_LIBVIRT_SOCKET_FOLDERS = list(ENVIRONMENT.libvirt_socket_folders)

INSTALLED_APPS = [
    "xenweb.realtime",
    "xenweb.audit",
    "xenweb.accounts",
    "xenweb.inventory",
    "xenweb.livemigration",
    "xenweb.maintenance",
    "xenweb.worker",
    "xenweb.web",
    "xenweb.lab",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "django_rq",
    "django_vite",
]

MIDDLEWARE = [
    "xenweb.web.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "xenweb.web.middleware.PrivacyMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "xenweb.web.middleware.ApiMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "csp.context_processors.nonce",
            ],
        },
    },
]

ROOT_URLCONF = "xenweb.web.urls"
ASGI_APPLICATION = "xenweb.web.asgi.application"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"
APPEND_SLASH = False

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
