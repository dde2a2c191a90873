from django.apps import AppConfig


class WebConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.web"
    label = "web"
