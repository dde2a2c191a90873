"""Sessions, cookies, headers: what a browser is held to."""

from csp.constants import NONCE, NONE, SELF

from xenweb.settings.environment import ENVIRONMENT

ENCRYPTED = bool(ENVIRONMENT.origins) and all(origin.startswith("https://") for origin in ENVIRONMENT.origins)
"""Whether every address people use is https, so that cookies may insist on it."""

SESSION_COOKIE_NAME = "__Host-xenweb-session" if ENCRYPTED else "xenweb-session"
SESSION_COOKIE_SECURE = ENCRYPTED
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 60 * 60

# The front end reads this cookie and sends it back as X-CSRFToken.
CSRF_COOKIE_NAME = "csrftoken"
CSRF_COOKIE_SECURE = ENCRYPTED
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_TRUSTED_ORIGINS = list(ENVIRONMENT.origins)

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if ENCRYPTED else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = ENCRYPTED
X_FRAME_OPTIONS = "DENY"

_DEV_SERVER = ["http://localhost:5173", "ws://localhost:5173"] if ENVIRONMENT.frontend_dev_server else []

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE, *_DEV_SERVER],
        "style-src": [SELF, NONCE, *_DEV_SERVER],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF, *_DEV_SERVER],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 50
