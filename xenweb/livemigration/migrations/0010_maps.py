from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("livemigration", "0009_waits_because"),
    ]

    operations = [
        migrations.AddField(
            model_name="migration",
            name="asked_maps",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="migration",
            name="cards",
            field=models.JSONField(default=list),
        ),
    ]
