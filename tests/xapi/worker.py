"""A worker for one move, in a process that can be killed: ``python -m tests.xapi.worker MOVE``."""

import os
import sys

import django

if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "xenweb.settings"
    django.setup()
    from xenweb.livemigration.drive import drive
    from xenweb.worker.owners import owner_name

    drive(sys.argv[1], owner_name("worker"))
