"""The doorbell between processes. A lost ring loses nothing: readers look at the feed too."""

from xenweb.settings.environment import ENVIRONMENT

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [{"address": ENVIRONMENT.redis_url}], "prefix": "xenweb"},
    },
}
