"""What must hold for every ordering of events: legal or not, duplicated, reordered, dropped, cut off.

The rules and who deals the events are `turnkit.testing.MachineRules`; here they meet every policy there is, moody and
broken ones too.
"""

from __future__ import annotations

from tests.support.policies import machine_settings
from turnkit.testing import MachineRules


class AnyOrdering(MachineRules):
    """The machine with any policy."""

    machine_settings = machine_settings
    policies_may_fail = True


TestAnyOrdering = AnyOrdering.TestCase
