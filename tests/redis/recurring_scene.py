"""A stage on which time stands still, for recurring messages."""

import dataclasses

from broker.messaging.recurring import RecurringMessages
from broker.messaging.recurring_definition import Recurring, RecurringRequest
from broker.messaging.recurring_store import TurnOutcome
from tests.redis.stage import Stage

SECOND = 1_000
HOUR = 3_600 * SECOND


@dataclasses.dataclass(kw_only=True)
class Calendar:
    """A clock that a test moves."""

    now: int

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene(Stage):
    """A stage whose clock stands still."""

    calendar: Calendar

    @property
    def recurring(self) -> RecurringMessages:
        return self.broker.recurring

    def every(self, schedule: str = "interval:60", **fields: object) -> Recurring:
        request: dict[str, object] = {"template": self.draft(), "schedule": schedule} | fields
        made, _ = self.recurring.create(RecurringRequest(**request))  # type: ignore[arg-type] # a test knows
        return made

    def bodies(self) -> list[str | None]:
        self.route()
        return [delivered.message.body for delivered in self.lease(limit=1000)]

    def outcomes(self, recurring: Recurring) -> list[tuple[int, TurnOutcome]]:
        turns, _ = self.recurring.history(recurring.id, limit=1000)
        return [(turn.slot - recurring.definition.created_at, turn.outcome) for turn in turns]
