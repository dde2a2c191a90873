import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from xenweb.worker import redis_process
from xenweb.worker.supervisor import Child, Supervisor, manage


class Command(BaseCommand):
    """Start everything that one installation needs."""

    help = "Start Redis, the web process, workers, the watcher and the reconciler; Ctrl-C ends them."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the address and the number of workers."""
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--workers", type=int, default=3)
        parser.add_argument("--no-migrate", action="store_true", help="the schema is up to date already")

    def handle(self, *_args: object, **options: Any) -> None:
        """Start the processes in the order of their needs, and stay until a signal comes."""
        supervisor = Supervisor(self.stderr.write)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, supervisor.stop_soon)
        logs = Path(settings.XENWEB_DATA) / "log"
        logs.mkdir(parents=True, exist_ok=True)
        try:
            self._start(supervisor, logs, options)
        except BaseException:
            supervisor.end()
            raise
        supervisor.run()

    def _start(self, supervisor: Supervisor, logs: Path, options: dict[str, Any]) -> None:
        socket = Path(settings.XENWEB_DATA) / "redis.sock"
        if settings.XENWEB_REDIS_URL.startswith(f"unix://{socket}"):
            folder = Path(settings.XENWEB_DATA)
            child = Child("redis", redis_process.command(folder, socket), logs / "redis.log")
            redis_process.wait_ready(socket, supervisor.add(child))
        if not options["no_migrate"]:
            call_command("migrate", verbosity=0, interactive=False)
        web = [
            *(sys.executable, "-m", "uvicorn", "xenweb.web.asgi:application"),
            *("--host", options["host"], "--port", str(options["port"])),
            *("--ws", "websockets-sansio", "--ws-max-size", "16384"),
            # What a socket keeps for compressing costs more memory than it saves in frames of a few kB.
            *("--ws-per-message-deflate", "false"),
            *("--timeout-graceful-shutdown", "2", "--no-access-log", "--no-proxy-headers", "--no-server-header"),
        ]
        supervisor.add(Child("web", web, logs / "web.log"))
        supervisor.add(Child("watcher", manage("watch"), logs / "watcher.log"))
        supervisor.add(Child("reconciler", manage("reconcile"), logs / "reconciler.log"))
        for number in range(1, options["workers"] + 1):
            supervisor.add(Child(f"worker {number}", manage("work"), logs / f"worker-{number}.log"))
        self.stdout.write(f"xenweb is starting at http://{options['host']}:{options['port']}/")
