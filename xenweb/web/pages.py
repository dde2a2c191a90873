"""The one shell that all client routes get, and the pages for when things go wrong."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views import defaults
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from xenweb.accounts.selectors import actor_for
from xenweb.inventory.selectors import is_simulated
from xenweb.web import errors
from xenweb.web.profile import actor_wire


@require_safe
@ensure_csrf_cookie
@login_required
def shell(request: HttpRequest, **_place: str) -> HttpResponse:
    """Serve the shell with what the client needs before its first request; the place in it is the client's own."""
    actor = actor_for(request.user.pk) if request.user.pk is not None else None
    if actor is None:
        return redirect(settings.LOGIN_URL)
    simulated = settings.XENWEB_SIMULATED or is_simulated()
    boot = {
        "actor": actor_wire(actor).model_dump(mode="json"),
        "simulated": simulated,
        "version": settings.XENWEB_VERSION,
    }
    return render(request, "shell.html", {"boot": boot, "simulated": simulated})


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def handle_400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be read."""
    return defaults.bad_request(request, exception)


def handle_403(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that is not allowed."""
    return defaults.permission_denied(request, exception)


def handle_404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address where nothing is."""
    return errors.not_found(request) if _is_api(request) else defaults.page_not_found(request, exception)


def handle_500(request: HttpRequest) -> HttpResponse:
    """Answer an error that nobody foresaw; Django has logged it."""
    if _is_api(request):
        return errors.unexpected(request, RuntimeError("see the log line before"))
    return defaults.server_error(request)
