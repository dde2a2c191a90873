from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.audit"
    label = "audit"
    default_auto_field = "django.db.models.BigAutoField"
