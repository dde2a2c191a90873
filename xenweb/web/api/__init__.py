"""REST under /api/v1: one router a subject, one document that describes them."""
