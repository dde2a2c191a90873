"""Is the process alive, and can it work? Answers that tell a stranger nothing more."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse


def healthz(_request: HttpRequest) -> HttpResponse:
    """Say that this process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def _has_database() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _has_redis() -> bool:
    try:
        with redis.Redis.from_url(settings.XENWEB_REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


def readyz(_request: HttpRequest) -> HttpResponse:
    """Say whether the database and Redis answer; 503 if one of them does not."""
    answers = {"database": _has_database(), "redis": _has_redis()}
    return JsonResponse(answers, status=200 if all(answers.values()) else 503)
