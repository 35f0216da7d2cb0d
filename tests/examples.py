"""How many examples the property tests draw: the suite a few and always the same, a search many new ones.

`make test EXAMPLES=20` draws twenty times as many as the suite, others at each start.
"""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("EXAMPLES", "1"))
IN_SEARCH = TIMES > 1

settings.register_profile(
    "suite",
    derandomize=not IN_SEARCH,  # what passed on one machine passes on another
    database=None,
    deadline=None,  # a busy machine is slow
    max_examples=100 * TIMES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("suite")


def examples(count: int) -> settings:
    """Draw `count` examples in the suite: for a property whose every example costs much."""
    return settings(max_examples=count * TIMES)
