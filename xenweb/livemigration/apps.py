from django.apps import AppConfig


class LiveMigrationConfig(AppConfig):
    """Register the app under its short label."""

    name = "xenweb.livemigration"
    label = "livemigration"
    default_auto_field = "django.db.models.BigAutoField"
