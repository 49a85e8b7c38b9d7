"""An app by Feishu's client for Python that does what it is told in direct messages, and prints what it notices.

Each line is a piece of JSON. Arguments: the address of the Open API, the app's id, and its secret.
"""

import json
import sys

import lark_oapi as lark
from lark_oapi.api.im.v1 import CreateMessageRequest, CreateMessageRequestBody, P2ImMessageReceiveV1
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTrigger, P2CardActionTriggerResponse

ROOT, APP, SECRET = sys.argv[1:]


def say(**what):
    print(json.dumps(what), flush=True)


client = lark.Client.builder().app_id(APP).app_secret(SECRET).domain(ROOT).log_level(lark.LogLevel.ERROR).build()


def create(to, kind, content, by="open_id"):
    body = CreateMessageRequestBody.builder().receive_id(to).msg_type(kind).content(json.dumps(content)).build()
    answer = client.im.v1.message.create(CreateMessageRequest.builder().receive_id_type(by).request_body(body).build())
    if not answer.success():
        say(refused=answer.code)


def heard(event: P2ImMessageReceiveV1) -> None:
    message, sender = event.event.message, event.event.sender
    text, person = json.loads(message.content)["text"], sender.sender_id.open_id
    say(heard=text, kind=message.chat_type, type=sender.sender_type, **{"from": person})
    match text:
        case "ping":
            create(person, "text", {"text": "pong"})
        case "shut":
            create("oc_nobody", "text", {"text": "x"}, "chat_id")
        case "buttons":
            text = {"tag": "plain_text", "content": "well?"}
            yes = {"tag": "button", "text": {"tag": "plain_text", "content": "Yes"}, "value": {"data": "a:1"}}
            create(person, "interactive", {"elements": [{"tag": "div", "text": text}, {"tag": "action", "actions": [yes]}]})


def pressed(event: P2CardActionTrigger) -> P2CardActionTriggerResponse:
    say(pressed=event.event.action.value["data"], by=event.event.operator.open_id, under=event.event.context.open_message_id)
    return P2CardActionTriggerResponse({})


handler = (
    lark.EventDispatcherHandler.builder("", "")
    .register_p2_im_message_receive_v1(heard)
    .register_p2_card_action_trigger(pressed)
    .build()
)
socket = lark.ws.Client(APP, SECRET, event_handler=handler, domain=ROOT, log_level=lark.LogLevel.ERROR)
say(ready=True)
try:
    socket.start()
except Exception as error:
    say(failed=str(error))
