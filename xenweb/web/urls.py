"""Every address of the house. The routes below the shell are the client's own."""

from django.urls import path

from xenweb.web import health, pages, sign_in
from xenweb.web.api.document import api

urlpatterns = [
    path("", pages.shell, name="board"),
    path("migrations", pages.shell),
    path("migrations/<str:migration>", pages.shell),
    path("hosts/<str:host>/maintenance", pages.shell),
    path("maintenances/<str:maintenance>", pages.shell),
    path("storage", pages.shell),
    path("history", pages.shell),
    path("sign-in", sign_in.sign_in, name="sign_in"),
    path("sign-out", sign_in.sign_out, name="sign_out"),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/v1/", api.urls),
]

handler400 = "xenweb.web.pages.handle_400"
handler403 = "xenweb.web.pages.handle_403"
handler404 = "xenweb.web.pages.handle_404"
handler500 = "xenweb.web.pages.handle_500"
