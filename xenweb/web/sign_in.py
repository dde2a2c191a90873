"""Come in and go out."""

from http import HTTPStatus

from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect, ensure_csrf_cookie
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from xenweb.accounts.errors import SignInLimitedError
from xenweb.accounts.sign_in import attempt_begin, sign_in_accept, sign_in_refuse, sign_out_record
from xenweb.web.requests import address_of, request_id_of


def _following(request: HttpRequest) -> str:
    wanted = request.POST.get("next") or request.GET.get("next") or "/"
    here = {request.get_host()}
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts=here, require_https=request.is_secure())
    return wanted if safe else "/"


def _page(request: HttpRequest, form: AuthenticationForm, status: HTTPStatus, refusal: str = "") -> HttpResponse:
    context = {"form": form, "next": _following(request), "refusal": refusal}
    return render(request, "sign_in.html", context, status=status.value)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@ensure_csrf_cookie
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the form, or check a name and a password; every outcome is recorded."""
    if request.method != "POST":
        return _page(request, AuthenticationForm(request), HTTPStatus.OK)
    username, address = request.POST.get("username", ""), address_of(request)
    try:
        attempt = attempt_begin(username, address, request_id_of(request))
    except SignInLimitedError as refusal:
        response = _page(request, AuthenticationForm(request), HTTPStatus.TOO_MANY_REQUESTS, refusal.sentence)
        response.headers["Retry-After"] = str(refusal.facts["seconds"])
        return response
    form = AuthenticationForm(request, data=request.POST)
    if not form.is_valid():
        sign_in_refuse(username, address, request_id_of(request))
        refusal_text = "The name or the password is not right."
        return _page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY, refusal_text)
    user = form.get_user()
    login(request, user)
    sign_in_accept(user.get_username(), attempt, address, request_id_of(request))
    return redirect(_following(request))


@require_POST
@csrf_protect
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session; its sockets close within seconds."""
    if request.user.is_authenticated:
        sign_out_record(request.user.get_username(), address_of(request), request_id_of(request))
    logout(request)
    return redirect(settings.LOGIN_URL)
