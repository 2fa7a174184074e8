"""A call of every operation that is all right in itself, and what it needs to be so.

A new route joins by a line here; without one, the test of the matrix fails.
"""

from typing import Any, Final

from broker.messaging.conversation import direct_with
from tests.contract.access_scene import Ask, Prepare, Scene

_NOTHING: Final = "nothing-of-the-kind"


def _plain(**path: str) -> Prepare:
    return lambda _: Ask(path=path)


def _of_agent(**body: Any) -> Prepare:
    return lambda at: Ask(path={"agent_id": at.agent}, body=body or None)


def _from_agent(**fields: Any) -> Prepare:
    def ask(at: Scene) -> Ask:
        return Ask(body={"from": at.agent, "to": at.partner, "body": "hi"} | fields)

    return ask


def _batch(at: Scene) -> Ask:
    message = {"from": at.agent, "to": at.partner, "body": "hi"}
    return Ask(body={"messages": [message, message]}, mark='"accepted"')


def _of_sent(at: Scene) -> Ask:
    return Ask(path={"message_id": at.sent()})


def _of_leased(**fields: Any) -> Prepare:
    def ask(at: Scene) -> Ask:
        message, held = at.leased()
        return Ask(path={"message_id": message}, body=held | fields)

    return ask


def _watch(at: Scene) -> Ask:
    mark = at.sent()
    return Ask(query={"follow": "false", "message": mark}, mark=mark)


def _of_offer(at: Scene) -> Ask:
    offer = at.received(claimable=True)
    return Ask(path={"message_id": offer}, body={"agent_id": at.agent})


def _of_claimed(**fields: Any) -> Prepare:
    def ask(at: Scene) -> Ask:
        message, held = at.claimed()
        return Ask(path={"message_id": message}, body=held | fields)

    return ask


def _read(at: Scene) -> Ask:
    return Ask(path={"message_id": at.received()}, body={"agent_id": at.agent})


def _of_ticket(at: Scene) -> Ask:
    return Ask(path={"ticket_id": at.sent(expects_reply=True)})


def _awaited(at: Scene) -> Ask:
    ask = _of_ticket(at)
    return Ask(path=ask.path, query={"timeout_seconds": "0"})


def _reply(at: Scene) -> Ask:
    ticket = at.received(expects_reply=True)
    return Ask(body={"ticket_id": ticket, "agent_id": at.agent, "response": "yes"})


def _asking(at: Scene) -> Ask:
    return Ask(path={"agent_id": at.partner}, body={"from": at.agent, "body": "well?"})


def _acknowledge_many(at: Scene) -> Ask:
    message, held = at.leased()
    acks = [{"id": message, "lease_token": held["lease_token"]}]
    return Ask(path={"agent_id": at.agent}, body={"acks": acks})


def _release_many(at: Scene) -> Ask:
    message, held = at.leased()
    leases = [{"id": message, "lease_token": held["lease_token"]}]
    return Ask(path={"agent_id": at.agent}, body={"leases": leases})


def _of_dead_letter(**body: str) -> Prepare:
    return lambda at: Ask(path={"dead_letter_id": at.dead_letter()}, body=body or None)


def _of_recurring(at: Scene) -> Ask:
    return Ask(path={"recurring_id": at.recurring()})


def _of_paused(at: Scene) -> Ask:
    recurring = at.recurring()
    at.broker.recurring.pause(recurring)
    return Ask(path={"recurring_id": recurring})


def _of_room(**body: Any) -> Prepare:
    return lambda at: Ask(path={"channel_id": at.room()}, body=body or None)


def _as_participant(*, member: bool) -> Prepare:
    """The agent joins or leaves a public channel of its partner's."""

    def ask(at: Scene) -> Ask:
        room = at.room(owner=at.partner, private=False)
        if member:
            at.broker.channels.join(room, at.agent, None)
        return Ask(path={"channel_id": room}, body={"agent_id": at.agent})

    return ask


def _removal(at: Scene) -> Ask:
    room = at.room()
    at.broker.channels.invite(room, at.partner, None)
    return Ask(path={"channel_id": room, "agent_id": at.partner})


def _direct_history(at: Scene) -> Ask:
    message = at.sent(channel=direct_with(at.agent, at.partner))
    return Ask(path={"agent_id": at.agent, "other_id": at.partner}, mark=message)


def _of_webhook(at: Scene) -> Ask:
    return Ask(path={"agent_id": at.webhook()})


REQUESTS: Final[dict[str, Prepare]] = {
    # messages
    "sendMessage": _from_agent(),
    "broadcastMessage": _from_agent(),
    "sendMessages": _batch,
    "findMessages": lambda at: Ask(query={"limit": "1000"}, mark=at.sent()),
    "watchEvents": _watch,
    "getMessage": _of_sent,
    "cancelMessage": _of_sent,
    "getReceipts": _of_sent,
    "getThread": lambda at: Ask(path={"thread_id": at.sent()}),
    # tickets
    "askAgent": _asking,
    "replyToTicket": _reply,
    "getTicket": _of_ticket,
    "getReplies": _of_ticket,
    "awaitReply": _awaited,
    "findPendingTickets": _of_agent(),
    # inboxes
    "fetchInbox": _of_agent(),
    "fetchInboxByAgent": _of_agent(),
    "acknowledgeMessage": _of_leased(),
    "rejectMessage": _of_leased(),
    "extendLease": _of_leased(seconds=60),
    "markRead": _read,
    "acknowledgeMessages": _acknowledge_many,
    "releaseLeases": _release_many,
    # conversations
    "sendDirectMessage": _from_agent(),
    "findDirectConversations": _of_agent(),
    "getDirectHistory": _direct_history,
    "createChannel": lambda at: Ask(body={"id": f"room-{at.agent}", "owner": at.agent}),
    "findChannels": lambda at: Ask(query={"limit": "1000"}, mark=at.room()),
    "getChannel": _of_room(),
    "changeChannel": _of_room(topic="news"),
    "deleteChannel": _of_room(),
    "joinChannel": _as_participant(member=False),
    "leaveChannel": _as_participant(member=True),
    "findMembers": _of_room(),
    "inviteMember": lambda at: Ask(path={"channel_id": at.room()}, body={"agent_id": at.partner}),
    "removeMember": _removal,
    "getChannelHistory": _of_room(),
    # claims
    "claimMessage": _of_offer,
    "renewClaim": _of_claimed(seconds=60),
    "releaseClaim": _of_claimed(),
    "getClaim": lambda at: Ask(path={"message_id": at.sent(claimable=True)}),
    # agents
    "registerAgent": lambda at: Ask(body={"id": at.agent}),
    "findAgents": _plain(),
    "getAgent": _of_agent(),
    "changeAgent": _of_agent(label="here"),
    "deleteAgent": _of_agent(),
    "heartbeat": _of_agent(),
    # dead letters
    "findDeadLetters": lambda at: Ask(query={"limit": "1000"}, mark=at.dead_letter()),
    "getDeadLetter": _of_dead_letter(),
    "retryDeadLetter": _of_dead_letter(),
    "resolveDeadLetter": _of_dead_letter(resolution="by hand"),
    "retryDeadLetters": lambda _: Ask(body={"reason": _NOTHING}),
    "resolveDeadLetters": lambda _: Ask(body={"reason": _NOTHING, "resolution": "by hand"}),
    # recurring messages
    "createRecurring": _from_agent(schedule="interval:3600"),
    "findRecurring": lambda at: Ask(query={"limit": "1000"}, mark=at.recurring()),
    "getRecurring": _of_recurring,
    "pauseRecurring": _of_recurring,
    "resumeRecurring": _of_paused,
    "cancelRecurring": _of_recurring,
    "getRecurringHistory": _of_recurring,
    "getNextTimes": _of_recurring,
    # identity
    "createKey": lambda at: Ask(body={"name": "mine", "scopes": [f"agent:{at.partner}"]}),
    "findKeys": _plain(),
    "getKey": lambda at: Ask(path={"key_id": at.key()}),
    "rotateKey": lambda at: Ask(path={"key_id": at.key()}),
    "revokeKey": lambda at: Ask(path={"key_id": at.key()}),
    "getMe": _plain(),
    "createInvitation": _plain(),
    "findInvitations": _plain(),
    "getInvitation": lambda at: Ask(path={"invitation_id": at.invitation()}),
    "revokeInvitation": lambda at: Ask(path={"invitation_id": at.invitation()}),
    # webhooks
    "setWebhook": _of_agent(url="https://8.8.8.8/hook"),
    "getWebhook": _of_webhook,
    "removeWebhook": _of_webhook,
    "rotateWebhookSecret": _of_webhook,
    "testWebhook": _of_webhook,
    # discovery
    "getDiscovery": _plain(),
    "scanForAgents": _plain(),
    "registerDiscovered": _plain(),
    # the station
    "isAlive": _plain(),
    "isReady": _plain(),
    "getMetrics": _plain(),
    "getAsyncApi": _plain(),
    "getStats": _plain(),
    "getHealth": _plain(),
    "getHealthHistory": _plain(),
    "getThresholds": _plain(),
    "setThresholds": lambda _: Ask(body={}),
}
