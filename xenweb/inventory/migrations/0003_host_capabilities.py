from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0002_dirty_rate"),
    ]

    operations = [
        migrations.AddField(
            model_name="host",
            name="capabilities",
            field=models.JSONField(null=True),
        ),
    ]
