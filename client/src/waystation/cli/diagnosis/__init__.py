"""What is wrong between here and the station, and how to mend it (SPEC I2).

`observation` looks, once, and changes nothing but what it takes back; `observed` is what it saw;
the checks are functions of that alone. `diagnose` puts the checks in the order of causes.
"""

from waystation.cli.diagnosis.checklist import diagnose
from waystation.cli.diagnosis.finding import Finding, Verdict
from waystation.cli.diagnosis.observation import Asked, observe

__all__ = ["Asked", "Finding", "Verdict", "diagnose", "observe"]
