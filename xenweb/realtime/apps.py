from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.realtime"
    label = "realtime"
    default_auto_field = "django.db.models.BigAutoField"
