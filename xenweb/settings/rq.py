"""Queues of the worker: ids only, as JSON, enqueued when the transaction is committed."""

from xenweb.settings.environment import ENVIRONMENT

RQ_QUEUES = {
    "moves": {
        "URL": ENVIRONMENT.redis_url,
        # A move has its own deadline; a timeout of the queue cannot stop a hypervisor.
        "DEFAULT_TIMEOUT": -1,
        "SERIALIZER": "rq.serializers.JSONSerializer",
    },
}
RQ = {"COMMIT_MODE": "on_db_commit"}
RQ_SHOW_ADMIN_LINK = False
