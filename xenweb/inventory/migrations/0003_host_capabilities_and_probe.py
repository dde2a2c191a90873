from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("inventory", "0002_dirty_rate"),
    ]

    operations = [
        migrations.AddField(
            model_name="host",
            name="probe",
            field=models.CharField(blank=True, default="", max_length=300),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="host",
            name="probe_key",
            field=models.TextField(blank=True, default=""),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="host",
            name="capabilities",
            field=models.JSONField(null=True),
        ),
    ]
