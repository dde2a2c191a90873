from django.apps import AppConfig


class WorkerConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.worker"
    label = "worker"
    default_auto_field = "django.db.models.BigAutoField"
